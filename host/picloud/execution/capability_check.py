"""Capability checks: a script cannot do for its caller what the caller cannot do.

With a principal, a host call requires the capability of interface.toml. For an anonymous caller it is
allowed, because the script is responsible for access.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from picloud.core.errors import ServiceError
from picloud.core.interface import HostFunction, Interface, InterfaceMismatch
from picloud.identity.capabilities import CAPABILITIES, may
from picloud.services.call_context import Call


def with_capability_checks(
    functions: Mapping[str, HostFunction], interface: Interface
) -> dict[str, HostFunction]:
    """Add a check to the host functions that require a capability.

    Args:
        functions: functions of the services, by import name.
        interface: has the capability of each function.

    Returns:
        The functions for the sandbox.

    Raises:
        InterfaceMismatch: the interface has an unknown capability.
    """
    known = {capability.name for capability in CAPABILITIES}
    checked = dict(functions)
    for signature in interface.hosts:
        if signature.capability and signature.name in functions:
            if signature.capability not in known:
                raise InterfaceMismatch(
                    f"{signature.name} has the unknown capability {signature.capability!r}"
                )
            checked[signature.name] = partial(_call, functions[signature.name], signature.capability)
    return checked


def _call(function: HostFunction, capability: str, call: Call, *params: object) -> Any:
    if call.principal is None or may(call.principal, capability, call.app_id):
        return function(call, *params)
    return _deny(capability)


async def _deny(capability: str) -> None:
    raise ServiceError(f"the caller lacks the capability {capability}")
