"""What every service method that a script can reach is told first: on whose behalf it is called."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from picloud.errors import ServiceError
from picloud.identity.capabilities import may
from picloud.identity.principal import Principal
from picloud.sandbox.abi import HostFunction


@dataclass(frozen=True, slots=True)
class Call:
    """The execution a host call comes from. It is made by the host; nothing of it comes from the guest.

    Attributes:
        app_id: the only app whose data the call may touch.
        script_id: the script that runs.
        execution_id: the execution.
        principal: who called the script, or None for nobody.
    """

    app_id: UUID
    script_id: UUID
    execution_id: UUID
    principal: Principal | None = None


def needs(capability: str, function: HostFunction) -> HostFunction:
    """Keep a caller of a script from what they may not do themselves.

    Args:
        capability: a name of `identity.capabilities.CAPABILITIES`.
        function: called with the `Call` first.

    Returns:
        The function; it refuses principals without the capability in the script's app. For nobody the
        script is the gate: what it does, anyone may have done.
    """

    async def guarded(call: Call, *params: object) -> object:
        if call.principal is not None and not may(call.principal, capability, call.app_id):
            raise ServiceError(f"the caller needs the capability {capability}")
        return await function(call, *params)

    return guarded
