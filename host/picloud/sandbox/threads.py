"""The threads that long-running guests are polled on.

They run at a lower priority than the event loop's thread, so that a light request is served at once while
scripts that only compute share what is left. A guest holds a thread for one turn and then queues again
behind the others, so a dozen endless loops get equal shares of the cores.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from picloud.sandbox.capi import Guest

TURN_SECONDS = 0.010
# Not much lower: such a thread may lose its core while it holds the GIL, and then everyone waits for it.
NICENESS = 3


class Threads:
    """A small pool of threads for polling guests."""

    def __init__(self, count: int) -> None:
        """Make the pool; threads start when first needed.

        Args:
            count: how many; the number of cores is right.
        """
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="guest", initializer=_lower_priority)

    async def turn(self, guest: Guest, deadline: float) -> bool:
        """Poll a guest on a thread for one turn: until it ends, suspends in a host call, or time is up.

        When this is cancelled, the thread is awaited first (it stops within one slice of fuel), because a
        guest must not be closed while it is polled.

        Args:
            guest: the guest; nobody else polls it in the meantime.
            deadline: `time.monotonic()` value after which the turn ends.

        Returns:
            True when the guest's call ended.

        Raises:
            capi.Trap: the guest trapped.
        """
        stop = threading.Event()
        work = self._pool.submit(_poll, guest, deadline, stop)
        waiter = asyncio.wrap_future(work)
        try:
            return await asyncio.shield(waiter)
        except asyncio.CancelledError:
            stop.set()
            while not work.cancel() and not work.done():
                with contextlib.suppress(asyncio.CancelledError):  # not before the thread
                    await asyncio.wait([waiter])
            raise

    def close(self) -> None:
        """Stop the threads; every turn must have ended."""
        self._pool.shutdown()


def _poll(guest: Guest, deadline: float, stop: threading.Event) -> bool:
    until = min(time.monotonic() + TURN_SECONDS, deadline)
    while True:
        if guest.poll_releasing_gil():
            return True
        if guest.owner.suspended or stop.is_set() or time.monotonic() >= until:
            return False


def _lower_priority() -> None:
    """On Linux the niceness belongs to the thread; elsewhere threads keep the process's priority."""
    if hasattr(os, "sched_getaffinity"):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
