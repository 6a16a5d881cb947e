"""The freed memory of guests, which wasmtime keeps for the next ones.

A freed slot of the pool is clean, but its pages stay in memory up to `engine.KEEP_RESIDENT`: the next guest
in it needs no page faults. After a burst that is much memory for nothing. So all freed slots together keep
at most `MAX_BYTES`, and those that were not used for a while keep nothing.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

MAX_BYTES: Final = 64 * 1024 * 1024
IDLE_SECONDS: Final = 2.0


class FreedSlots:
    """The freed slots of a process that keep pages, the least recently used first."""

    def __init__(
        self,
        give_back: Callable[[int, int], None],
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create it.

        Args:
            give_back: gives the pages of a range (address, length) back to the kernel.
            max_bytes: kept in all.
            clock: a monotonic clock in seconds.
        """
        self._give_back, self._max_bytes, self._clock = give_back, max_bytes, clock
        self._slots: OrderedDict[int, tuple[int, float]] = OrderedDict()
        self.bytes = 0

    def take(self, address: int) -> None:
        """Record that a guest uses a slot."""
        slot = self._slots.pop(address, None)
        if slot is not None:
            self.bytes -= slot[0]

    def add(self, address: int, size: int) -> None:
        """Record a freed slot. Args: size: bytes of it that may be in memory."""
        self._slots[address] = (size, self._clock())
        self.bytes += size
        while self.bytes > self._max_bytes:
            self._empty_first()

    def trim(self) -> int:
        """Give back the pages of slots that no guest used for `IDLE_SECONDS`. Returns: their number."""
        before, count = self._clock() - IDLE_SECONDS, 0
        while self._slots and next(iter(self._slots.values()))[1] <= before:
            self._empty_first()
            count += 1
        return count

    def forget(self) -> None:
        """Forget all slots, when their engine ends."""
        self._slots.clear()
        self.bytes = 0

    def _empty_first(self) -> None:
        address, (size, _) = self._slots.popitem(last=False)
        self.bytes -= size
        self._give_back(address, size)
