"""The guard: what a script's caller may not do, a script does not do for them.

With a principal a host call needs the capability that interface.toml names; with none it is allowed, for
then the script is the gate.
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
    """Put the guard before the host functions that need a capability.

    Args:
        functions: as the services offer them, by import name.
        interface: says which capability each needs.

    Returns:
        What to hand to the sandbox.

    Raises:
        InterfaceMismatch: the interface names a capability that there is not.
    """
    known = {capability.name for capability in CAPABILITIES}
    behind = dict(functions)
    for signature in interface.hosts:
        if signature.capability and signature.name in functions:
            if signature.capability not in known:
                raise InterfaceMismatch(
                    f"{signature.name} needs {signature.capability}, which is no capability"
                )
            behind[signature.name] = partial(_call, functions[signature.name], signature.capability)
    return behind


def _call(function: HostFunction, capability: str, call: Call, *params: object) -> Any:
    if call.principal is None or may(call.principal, capability, call.app_id):
        return function(call, *params)
    return _refuse(capability)


async def _refuse(capability: str) -> None:
    raise ServiceError(f"the caller needs the capability {capability}")
