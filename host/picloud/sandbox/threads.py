"""The threads that poll long-running guests.

They have a lower priority than the thread of the event loop, so that short requests are served at once and
computing scripts share the rest. A guest has a thread for one turn and then queues again. Apps are served in
turn, and so are the guests of one app: an app with many endless loops gets no more of the cores than an app
with one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar
from uuid import UUID

from picloud.core.app_limiter import AppLimiter
from picloud.sandbox.capi import Guest

T = TypeVar("T")

TURN_SECONDS = 0.010
# Not much lower: a thread that loses its core while it has the GIL blocks all others.
NICENESS = 3


class Threads:
    """A pool of threads that poll guests."""

    def __init__(self, count: int) -> None:
        """Create the pool; threads start when needed.

        Args:
            count: number of threads, usually the number of cores.
        """
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="guest", initializer=_lower_priority)
        self._turns = AppLimiter(count, count)

    async def turn(self, guest: Guest, app_id: UUID, deadline: float) -> bool:
        """Poll a guest on a thread for one turn: until it ends, suspends in a host call, or the turn is over.

        If cancelled, it first waits for the thread (at most one slice of fuel), because a guest must not be
        closed while it is polled.

        Args:
            guest: the guest; no one else can poll it at the same time.
            app_id: its app.
            deadline: latest end of the turn, in seconds of `time.monotonic`.

        Returns:
            True when the call of the guest ended.

        Raises:
            capi.Trap: the guest trapped.
        """
        async with self._turns.slot(app_id):
            return await self._turn(guest, deadline)

    async def _turn(self, guest: Guest, deadline: float) -> bool:
        stop = threading.Event()
        return await _uncancelled(self._pool.submit(_poll, guest, deadline, stop), stop.set)

    async def give_back(self, guest: Guest) -> None:
        """Give the memory of a guest back to the kernel on a thread, before it is closed.

        Args:
            guest: a guest that runs no more.
        """
        await _uncancelled(self._pool.submit(guest.give_back))

    def close(self) -> None:
        """Stop the threads, after every turn has ended."""
        self._pool.shutdown()


async def _uncancelled(work: Future[T], stop: Callable[[], None] = lambda: None) -> T:
    """Wait for work on a thread; if cancelled, tell it to stop, and wait for its end all the same."""
    waiter = asyncio.wrap_future(work)
    try:
        return await asyncio.shield(waiter)
    except asyncio.CancelledError:
        stop()
        while not work.cancel() and not work.done():
            with contextlib.suppress(asyncio.CancelledError):  # not before the thread
                await asyncio.wait([waiter])
        raise


def _poll(guest: Guest, deadline: float, stop: threading.Event) -> bool:
    until = min(time.monotonic() + TURN_SECONDS, deadline)
    while True:
        if guest.poll_releasing_gil():
            return True
        run = guest.owner
        if run.suspended or run.is_nearly_out_of_fuel() or stop.is_set() or time.monotonic() >= until:
            return False


def _lower_priority() -> None:
    """Lower the priority of this thread on Linux; elsewhere niceness applies to the whole process."""
    if hasattr(os, "sched_getaffinity"):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
