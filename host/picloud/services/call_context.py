"""The context of a host call: the first parameter of every service method that scripts can call."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from uuid import UUID

from picloud.identity.principal import Principal
from picloud.sandbox.limits import Ceilings, Limits
from picloud.services.outbound_decisions import Decisions


@dataclass(frozen=True, slots=True)
class Input:
    """The input of an execution, such as the body of a request.

    Attributes:
        data: the bytes.
        content_type: their media type, or None.
    """

    data: bytes = field(default=b"", repr=False)
    content_type: str | None = None


NO_INPUT = Input()
_DEFAULT_LIMITS = Ceilings().resolve({})


@dataclass(frozen=True, slots=True)
class Call:
    """The execution of a host call. The host creates it; nothing in it comes from the guest.

    Events of the call have `root_execution_id` as its root, `execution_id` as its parent and `depth + 1`.

    Attributes:
        app_id: the only app whose data the call can access.
        script_id: the script that runs.
        execution_id: the execution.
        principal: the caller of the script, or None for an anonymous caller.
        root: the first execution of the chain, or None if this is the first.
        parent: the execution that caused this one, or None.
        depth: number of events and calls before this execution in the chain; 0 for a request.
        deadline: when the execution is stopped, in seconds of `time.monotonic`.
        input: its input.
        limits: its limits; a page ends, and a write is rejected, at what the script can read.
        decisions: the decisions about its outbound calls, for its record.
    """

    app_id: UUID
    script_id: UUID
    execution_id: UUID
    principal: Principal | None = None
    root: UUID | None = None
    parent: UUID | None = None
    depth: int = 0
    deadline: float = math.inf
    input: Input = NO_INPUT
    limits: Limits = _DEFAULT_LIMITS
    decisions: Decisions = field(default_factory=Decisions, compare=False, repr=False)

    @property
    def root_execution_id(self) -> UUID:
        """The first execution of the chain; this one if no other caused it."""
        return self.root or self.execution_id
