"""Shares the time for parsing large input among the connections of a worker."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import Protocol

_BUDGET_SECONDS = 0.001  # per turn of the loop, for all connections together

_log = logging.getLogger(__name__)


class Reader(Protocol):
    """A connection with input to parse."""

    def read_slice(self) -> bool:
        """Parse a slice, a fraction of a millisecond; report whether more can be parsed now."""

    def abort(self) -> None:
        """Close the connection."""


class Turns:
    """Lets connections parse in slices, one after the other, for at most 1 ms per turn of the event loop.

    Bytes around a body (chunk sizes, for example) take long to parse, and a client can send megabytes of them
    at once. However many connections do that, everything else on the loop waits for 1 ms at a time.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Reader] = deque()
        self._left = _BUDGET_SECONDS  # of this turn of the loop
        self._scheduled = False

    def enter(self, reader: Reader) -> bool:
        """Parse now, as long as this turn of the loop allows, and the rest in later turns.

        Args:
            reader: not waiting here already.

        Returns:
            Whether it waits here now; its `read_slice` is called until it returns False.
        """
        if not self._waiting:
            while self._left > 0:
                if not self._read(reader):
                    return False
        self._waiting.append(reader)
        self._schedule()
        return True

    def _read(self, reader: Reader) -> bool:
        started = time.perf_counter()
        try:
            more = reader.read_slice()
        except Exception:
            _log.exception("parsing a request failed")  # and the others go on
            reader.abort()
            more = False
        self._left -= time.perf_counter() - started
        self._schedule()
        return more

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._scheduled, self._left = False, _BUDGET_SECONDS
        while self._waiting and self._left > 0:
            reader = self._waiting.popleft()
            if self._read(reader):
                self._waiting.append(reader)
        if self._waiting:
            self._schedule()
