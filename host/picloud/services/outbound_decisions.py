"""Decisions about outbound calls and their results, for the record of an execution."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

MAX_DECISIONS = 200
MAX_DENIED = 200
ALLOWED = "allowed"


@dataclass(slots=True)
class Decision:
    """The decision about one outbound call.

    Attributes:
        method: HTTP method; "" if it is not allowed.
        host: host of the last hop, with a port other than the default; "" if the URL is not valid.
        category: "allowed", or the rule that denied it, such as "private address".
        status: HTTP status of the response, or None.
        error: why an allowed call has no response, such as "timeout", or None.
        hops: redirects followed.
        ms: duration in milliseconds.
        bytes_out: bytes of request bodies whose response arrived.
        bytes_in: bytes of response bodies, before decompression.
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
    _started: float = field(default_factory=time.perf_counter, repr=False)

    def end(self) -> None:
        """Set the duration."""
        self.ms = (time.perf_counter() - self._started) * 1000

    def facts(self) -> dict[str, object]:
        """Return the decision as JSON-able fields."""
        names = ("method", "host", "category", "status", "error", "hops", "ms", "bytes_out", "bytes_in")
        return {name: getattr(self, name) for name in names}


@dataclass(slots=True)
class Decisions:
    """The decisions of one execution: the first `MAX_DECISIONS`, then the first `MAX_DENIED` denied ones.

    A script cannot hide denied calls behind many allowed ones.

    Attributes:
        kept: in the order of the calls.
        dropped: number of further decisions.
    """

    kept: list[Decision] = field(default_factory=list)
    dropped: int = 0
    _excess: Decision | None = None

    def begin(self) -> Decision:
        """Start a decision, filled in during the call. The caller must call `end` before the next `begin`."""
        decision = Decision()
        if len(self.kept) < MAX_DECISIONS:
            self.kept.append(decision)
        else:
            self.dropped += 1
            self._excess = decision
        return decision

    def end(self, decision: Decision) -> None:
        """End the decision of a call."""
        decision.end()
        is_denied = decision.category != ALLOWED
        if decision is self._excess and is_denied and len(self.kept) < MAX_DECISIONS + MAX_DENIED:
            self.kept.append(decision)
            self.dropped -= 1
