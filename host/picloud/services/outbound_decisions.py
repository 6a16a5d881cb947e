"""What was decided about each request, and what came of it: part of the execution's record."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

MAX_DECISIONS = 200
MAX_REFUSALS = 200
ALLOWED = "allowed"


@dataclass(slots=True)
class Decision:
    """One call of an http function.

    Attributes:
        method: of the request; "" where it was none that may be sent.
        host: where the last hop went or was to go, with the port unless it is the scheme's; "" where the URL
            could not be read.
        category: "allowed", or the rule that refused it, such as "private address".
        status: of the answer, or None where there is none.
        error: what kept an allowed request from an answer, such as "timeout", or None.
        hops: redirects followed.
        ms: how long the call took, in milliseconds.
        bytes_out: of bodies sent and answered.
        bytes_in: of bodies received, as they came over the wire.
    """

    method: str = ""
    host: str = ""
    category: str = ALLOWED
    status: int | None = None
    error: str | None = None
    hops: int = 0
    ms: float = 0.0
    bytes_out: int = 0
    bytes_in: int = 0
    _began: float = field(default_factory=time.perf_counter, repr=False)

    def end(self) -> None:
        """Take the time."""
        self.ms = (time.perf_counter() - self._began) * 1000

    def facts(self) -> dict[str, object]:
        """The decision as JSON-able facts."""
        names = ("method", "host", "category", "status", "error", "hops", "ms", "bytes_out", "bytes_in")
        return {name: getattr(self, name) for name in names}


@dataclass(slots=True)
class Decisions:
    """Those of one execution: the first `MAX_DECISIONS`, and of the others the first refused `MAX_REFUSALS`.

    So nobody hides what they reached for behind calls that harm nobody.

    Attributes:
        kept: in the order of the calls.
        dropped: how many there were beyond that.
    """

    kept: list[Decision] = field(default_factory=list)
    dropped: int = 0
    _beyond: Decision | None = None

    def begin(self) -> Decision:
        """Keep a new decision, to be filled in as the call goes on; `end` is owed, before the next."""
        decision = Decision()
        if len(self.kept) < MAX_DECISIONS:
            self.kept.append(decision)
        else:
            self.dropped += 1
            self._beyond = decision
        return decision

    def end(self, decision: Decision) -> None:
        """The call has ended. Args: decision: about it, filled in."""
        decision.end()
        is_refused = decision.category != ALLOWED
        if decision is self._beyond and is_refused and len(self.kept) < MAX_DECISIONS + MAX_REFUSALS:
            self.kept.append(decision)
            self.dropped -= 1
