"""How much memory bodies on their way may hold."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from picloud.core.client_address import source


class Holder(Protocol):
    """What holds bytes on behalf of a client."""

    @property
    def address(self) -> str:
        """Of the client's socket."""

    @property
    def held(self) -> int:
        """How many bytes."""

    def give_up(self) -> None:
        """Let them go, soon."""


class Memory:
    """What some bodies on their way hold together.

    When it is too much, the address that holds the most gives up its oldest: who sends or takes bodies
    slowly, on many connections, harms only others that do the same.
    """

    def __init__(self, most: int) -> None:
        """Make it. Args: most: bytes."""
        self._most = most
        self._held: dict[Holder, int] = {}  # the oldest first
        self._total = 0

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, holder: Holder) -> None:
        """Count what a holder has now; another, or itself, may have to give up. Args: holder: it."""
        size = holder.held
        self._total += size - self._held.get(holder, 0)
        self._held[holder] = size
        while self._total > self._most:
            greediest = self._greediest()
            self.free(greediest)
            greediest.give_up()

    def free(self, holder: Holder) -> None:
        """It holds nothing any more. Args: holder: it, whether it was counted or not."""
        self._total -= self._held.pop(holder, 0)

    def _greediest(self) -> Holder:
        by_source: Counter[str] = Counter()
        for holder, size in self._held.items():
            by_source[source(holder.address)] += size
        most, _ = by_source.most_common(1)[0]
        return next(holder for holder in self._held if source(holder.address) == most)
