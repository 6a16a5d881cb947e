"""How much memory bodies on their way may hold."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from picloud.core.client_address import rate_limit_key
from picloud.core.metrics import Family, Metrics

DIRECTIONS = ("in", "out")
HELD = Family(
    "picloud_transfer_bytes",
    "Memory held by bodies of requests that arrive, and by answers that were not taken yet.",
    "gauge",
    {"direction": DIRECTIONS},
)
CUT = Family(
    "picloud_transfers_cut_total",
    "Bodies and answers that were cut off because all together held too much memory.",
    labels={"direction": DIRECTIONS},
)
METRICS = (HELD, CUT)


class Holder(Protocol):
    """What holds bytes on behalf of a client."""

    @property
    def address(self) -> str:
        """Of the client's socket."""

    @property
    def held(self) -> int:
        """How many bytes."""

    def cancel(self) -> None:
        """Let them go, soon."""


class TransferBudget:
    """What some bodies on their way hold together.

    When it is too much, the address that holds the most gives up its oldest: who sends or takes bodies
    slowly, on many connections, harms only others that do the same.
    """

    def __init__(self, most: int, direction: str, metrics: Metrics | None = None) -> None:
        """Make it.

        Args:
            most: bytes.
            direction: one of `DIRECTIONS`.
            metrics: where it counts; None for itself.
        """
        metrics = metrics or Metrics(METRICS)
        self._most = most
        self._gauge, self._cut = metrics.series(HELD, direction), metrics.series(CUT, direction)
        self._held: dict[Holder, int] = {}  # the oldest first
        self._total = 0

    def __len__(self) -> int:
        return len(self._held)

    def reserve(self, holder: Holder) -> None:
        """Count what a holder has now; another, or itself, may have to give up. Args: holder: it."""
        size = holder.held
        self._total += size - self._held.get(holder, 0)
        self._held[holder] = size
        while self._total > self._most:
            greediest = self._largest_holder()
            self.release(greediest)
            greediest.cancel()
            self._cut.inc()
        self._gauge.set(self._total)

    def release(self, holder: Holder) -> None:
        """It holds nothing any more. Args: holder: it, whether it was counted or not."""
        self._total -= self._held.pop(holder, 0)
        self._gauge.set(self._total)

    def _largest_holder(self) -> Holder:
        by_source: Counter[str] = Counter()
        for holder, size in self._held.items():
            by_source[rate_limit_key(holder.address)] += size
        most, _ = by_source.most_common(1)[0]
        return next(holder for holder in self._held if rate_limit_key(holder.address) == most)
