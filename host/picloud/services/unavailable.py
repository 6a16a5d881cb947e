"""Stubs for host functions that need a server."""

from __future__ import annotations

from collections.abc import Mapping

from picloud.core.errors import ServiceError
from picloud.core.interface import HostFunction, Interface


def with_unavailable_stubs(
    functions: Mapping[str, HostFunction], interface: Interface
) -> dict[str, HostFunction]:
    """Add a stub for every missing host function.

    Args:
        functions: the available functions, by import name.
        interface: lists the required functions.

    Returns:
        The functions, and a stub that raises an error for every other one.
    """

    async def unavailable(_call: object, *_params: object) -> object:
        raise ServiceError("not available without a server; push the script and run it there")

    names = [entry.name for entry in interface.service_functions]
    return dict.fromkeys(names, unavailable) | dict(functions)
