"""What every service method that a script can reach is told first: on whose behalf it is called."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from picloud.identity.principal import Principal
from picloud.services.outbound_decisions import Decisions


@dataclass(frozen=True, slots=True)
class Call:
    """The execution a host call comes from. It is made by the host; nothing of it comes from the guest.

    Attributes:
        app_id: the only app whose data the call may touch.
        script_id: the script that runs.
        execution_id: the execution.
        principal: who called the script, or None for nobody.
        body: of its request, raw.
        content_type: of that body, or None.
        decisions: what was decided about its requests to the outside, for its record.
    """

    app_id: UUID
    script_id: UUID
    execution_id: UUID
    principal: Principal | None = None
    body: bytes = field(default=b"", repr=False)
    content_type: str | None = None
    decisions: Decisions = field(default_factory=Decisions, compare=False, repr=False)
