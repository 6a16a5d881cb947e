"""What every service method that a script can reach gets first: on whose behalf it is called."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from uuid import UUID

from picloud.identity.principal import Principal
from picloud.services.outbound_decisions import Decisions


@dataclass(frozen=True, slots=True)
class Input:
    """The raw bytes that an execution was started with, such as the body of a request.

    Attributes:
        data: the bytes.
        content_type: their media type, or None where the sender named none.
    """

    data: bytes = field(default=b"", repr=False)
    content_type: str | None = None


NO_INPUT = Input()


@dataclass(frozen=True, slots=True)
class Call:
    """The execution a host call comes from. It is made by the host; nothing of it comes from the guest.

    What the call emits has `root_execution_id` as its root, `execution_id` as its parent and `depth + 1`.

    Attributes:
        app_id: the only app whose data the call may touch.
        script_id: the script that runs.
        execution_id: the execution.
        principal: who the script acts for, or None for an anonymous caller.
        root: the first execution of the chain, or None where this is the first.
        parent: the execution that caused this one, or None.
        depth: how many events and calls are between the outside and this execution; 0 for a request.
        deadline: when the execution is ended, in seconds of `time.monotonic`.
        input: the bytes it was started with.
        decisions: what was decided about its outbound calls, for its record.
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
    decisions: Decisions = field(default_factory=Decisions, compare=False, repr=False)

    @property
    def root_execution_id(self) -> UUID:
        """The first execution of the chain: this one where no other caused it."""
        return self.root or self.execution_id
