"""Host functions of services that are not there: outside of a server, a script has only what needs none."""

from __future__ import annotations

from collections.abc import Mapping

from picloud.core.errors import ServiceError
from picloud.core.interface import HostFunction, Interface


def with_unavailable_stubs(
    functions: Mapping[str, HostFunction], interface: Interface
) -> dict[str, HostFunction]:
    """Make a table whole.

    Args:
        functions: those that are there, by import name.
        interface: which there must be.

    Returns:
        These, and for every other one a function that refuses.
    """

    async def refuse(_call: object, *_params: object) -> object:
        raise ServiceError("there is no server here that could do this: push the script, and run it there")

    names = [entry.name for entry in interface.service_functions]
    return dict.fromkeys(names, refuse) | dict(functions)
