"""Memory limits for request bodies being received and responses being sent."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from picloud.core.client_address import rate_limit_key
from picloud.core.metrics import Family, Metrics

DIRECTIONS = ("in", "out")
HELD = Family(
    "picloud_transfer_bytes",
    "Memory held by request bodies being received and by responses not yet taken by the client.",
    "gauge",
    {"direction": DIRECTIONS},
)
CUT = Family(
    "picloud_transfers_cut_total",
    "Bodies and responses aborted because all of them together held too much memory.",
    labels={"direction": DIRECTIONS},
)
METRICS = (HELD, CUT)


class Holder(Protocol):
    """A transfer that holds memory for a client."""

    @property
    def address(self) -> str:
        """The address of the client's socket."""

    @property
    def held(self) -> int:
        """The bytes held."""

    def cancel(self) -> None:
        """Abort the transfer; its memory is freed soon after."""


class TransferBudget:
    """A limit on the memory of all transfers in one direction.

    When it is exceeded, the oldest transfer of the address that holds the most is canceled. So a client with
    many slow transfers harms only itself and clients that do the same.
    """

    def __init__(self, max_bytes: int, direction: str, metrics: Metrics | None = None) -> None:
        """Create the budget.

        Args:
            max_bytes: the limit on all transfers together.
            direction: one of `DIRECTIONS`.
            metrics: where to count; None for private counters.
        """
        metrics = metrics or Metrics(METRICS)
        self._max_bytes = max_bytes
        self._gauge, self._cut = metrics.series(HELD, direction), metrics.series(CUT, direction)
        self._held: dict[Holder, int] = {}  # the oldest first
        self._total = 0

    def __len__(self) -> int:
        return len(self._held)

    def reserve(self, holder: Holder) -> None:
        """Update what a holder holds; cancels transfers (possibly this one) while over the limit."""
        size = holder.held
        self._total += size - self._held.get(holder, 0)
        self._held[holder] = size
        while self._total > self._max_bytes:
            largest = self._largest_holder()
            self.release(largest)
            largest.cancel()
            self._cut.inc()
        self._gauge.set(self._total)

    def release(self, holder: Holder) -> None:
        """Remove a holder; does nothing if it is unknown."""
        self._total -= self._held.pop(holder, 0)
        self._gauge.set(self._total)

    def _largest_holder(self) -> Holder:
        by_source: Counter[str] = Counter()
        for holder, size in self._held.items():
            by_source[rate_limit_key(holder.address)] += size
        largest, _ = by_source.most_common(1)[0]
        return next(holder for holder in self._held if rate_limit_key(holder.address) == largest)
