"""The memory of guests: a budget for the guests of a worker, which they reserve before they grow.

An execution starts with a small reservation, and its guest asks for more (`memory_reserve`) before it grows
beyond that. wasmtime's limit on the guest is what is reserved, so a guest that does not ask does not grow.
The last quarter of the budget is for starts only: executions that hold much cannot keep others from starting.

The budget is a worker's share of the node's, like all limits of executions. So the share of an app is exact,
nothing is written to shared memory for each request, and a worker that dies leaves nothing reserved.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Final
from uuid import UUID

from picloud.core.errors import Overloaded
from picloud.core.metrics import Family, Metrics

WAIT_SECONDS: Final = 2.0
"""How long an execution waits for memory that others hold."""

_MIB = 1024 * 1024
_ROOM = _MIB // 2  # reserved in addition to the image, so that most scripts need not ask
_FULL = "the memory for scripts is in use; try again in a second"

RESERVED = Family("picloud_guest_memory_bytes", "Memory reserved for running scripts, in bytes.", "gauge")
BUDGET = Family("picloud_guest_memory_budget_bytes", "Maximum of that memory, in bytes.", "gauge")
DENIED = Family("picloud_guest_memory_refused_total", "Executions ended because no memory was free.")
METRICS = (RESERVED, BUDGET, DENIED)


class GuestMemory:
    """The budget of a worker.

    Attributes:
        total: bytes for all guests.
        used: bytes reserved.
        ending: executions that will return their memory soon.
        largest: the most that one execution can reserve, when no other runs.
    """

    def __init__(self, total: int, of_app: int | None = None, metrics: Metrics | None = None) -> None:
        """Create the budget.

        Args:
            total: bytes for all guests of this worker.
            of_app: bytes that one app can hold; None for all.
            metrics: metrics of the worker; None for its own.
        """
        metrics = metrics or Metrics(METRICS)
        self.total, self.used, self.ending = total, 0, 0
        self._for_growth, self._of_app = growth_part(total), total if of_app is None else of_app
        self.largest = min(self._for_growth, self._of_app)
        self._by_app: dict[UUID, int] = {}
        self._waiting: deque[_Waiter] = deque()
        self._reserved, self._denied = metrics.series(RESERVED), metrics.series(DENIED)
        metrics.series(BUDGET).set(total)

    def start(self, app_id: UUID, size: int, limit: int) -> Reservation:
        """Reserve the memory with which an execution starts; `size` of it is 0 if it has to wait.

        Args:
            app_id: the app of the script.
            size: linear memory with which the guest starts, in bytes.
            limit: memory limit of the execution, in bytes.
        """
        limit = min(limit, self.largest)
        wanted = max(size, min(size + _ROOM, limit))
        reservation = Reservation(self, app_id, limit, wanted)
        reservation.extend(wanted, self.total)
        return reservation

    async def wait(self, reservation: Reservation, deadline: float) -> None:
        """Wait for the memory with which an execution starts.

        Args:
            reservation: of `start`.
            deadline: of the execution, in seconds of `time.monotonic`.

        Raises:
            Overloaded: no memory became free in time; nothing is reserved.
        """
        try:
            await self._wait(reservation, reservation.initial, self.total, deadline)
        except BaseException:
            reservation.end()  # it can have got the memory in the same moment
            raise

    async def grow(self, reservation: Reservation, size: int, deadline: float) -> None:
        """Extend a reservation, waiting for memory if necessary.

        The executions that wait hold at most half of the memory, and those of an app half of its part; beyond
        that, the newest of them end one by one. So it never happens that all wait for each other.

        Args:
            reservation: the memory of the execution.
            size: what it needs, in bytes.
            deadline: of the execution, in seconds of `time.monotonic`.

        Raises:
            Overloaded: no memory became free in time, or too many wait.
        """
        await self._wait(reservation, size, self._for_growth, deadline)

    def grow_now(self, reservation: Reservation, size: int) -> bool:
        """Extend a reservation, by more than asked if possible; False if it had to wait."""
        if size > reservation.limit:
            return False
        step = reservation.size + max(_MIB, reservation.size // 4)
        ample = min(max(size, step), reservation.limit)
        return reservation.extend(ample, self._for_growth) or reservation.extend(size, self._for_growth)

    def claim(self, app_id: UUID, size: int, bound: int) -> bool:
        """Take bytes. Args: bound: of all bytes then taken. Returns: whether there were so many."""
        used, of_app = self.used + size, self._by_app.get(app_id, 0) + size
        if used > bound or of_app > self._of_app:
            return False
        self.used = used
        self._by_app[app_id] = of_app
        self._reserved.set(used)
        return True

    def release(self, app_id: UUID, size: int) -> None:
        """Return bytes, and give them to those that wait."""
        self.used -= size
        left = self._by_app[app_id] - size
        if left:
            self._by_app[app_id] = left
        else:
            del self._by_app[app_id]
        self._reserved.set(self.used)
        for waiter in self._waiting:
            if not waiter.ready.done() and waiter.reservation.extend(waiter.size, waiter.bound):
                waiter.ready.set_result(None)
        self._end_newest()

    def _end_newest(self) -> None:
        """End the newest execution that waits, if those that wait hold too much and none is ending."""
        if self.ending:
            return
        waiting = [one for one in self._waiting if not one.ready.done()]
        of_all = sum(one.reservation.size for one in waiting)
        for waiter in reversed(waiting):
            own = waiter.reservation
            of_app = sum(one.reservation.size for one in waiting if one.reservation.app_id == own.app_id)
            if own.size and (of_all > self._for_growth // 2 or of_app > self.largest // 2):
                own.will_end()
                waiter.ready.set_exception(Overloaded(_FULL))
                return

    async def _wait(self, reservation: Reservation, size: int, bound: int, deadline: float) -> None:
        waiter = _Waiter(reservation, size, bound)
        self._waiting.append(waiter)
        self._end_newest()
        try:
            async with asyncio.timeout(min(WAIT_SECONDS, deadline - time.monotonic())):
                await waiter.ready
        except TimeoutError:
            self._denied.inc()
            reservation.will_end()
            raise Overloaded(_FULL) from None
        except Overloaded:
            self._denied.inc()
            raise
        finally:
            self._waiting.remove(waiter)


def growth_part(total: int) -> int:
    """Return the part of a budget that executions can hold beyond what they start with."""
    return total * 3 // 4


class Reservation:
    """The memory of one execution.

    Attributes:
        app_id: the app of the script.
        size: bytes reserved.
        initial: bytes with which it starts.
        limit: the most that it can reserve.
    """

    __slots__ = ("_ending", "_memory", "app_id", "initial", "limit", "size")

    def __init__(self, memory: GuestMemory, app_id: UUID, limit: int, initial: int) -> None:
        """Use `GuestMemory.start`."""
        self._memory, self.app_id = memory, app_id
        self.limit, self.initial, self.size = limit, initial, 0
        self._ending = False

    def extend(self, size: int, bound: int) -> bool:
        """Reserve up to `size` bytes. Returns: whether all bytes then reserved are within the bound."""
        if size <= self.size:
            return True
        if not self._memory.claim(self.app_id, size - self.size, bound):
            return False
        self.size = size
        return True

    def will_end(self) -> None:
        """Say that the execution ends: others can wait for its memory."""
        if not self._ending and self.size:
            self._ending = True
            self._memory.ending += 1

    def end(self) -> None:
        """Release all; it can be called twice."""
        size, self.size = self.size, 0
        if self._ending:
            self._ending = False
            self._memory.ending -= 1
        if size:
            self._memory.release(self.app_id, size)


class _Waiter:
    __slots__ = ("bound", "ready", "reservation", "size")

    def __init__(self, reservation: Reservation, size: int, bound: int) -> None:
        self.reservation, self.size, self.bound = reservation, size, bound
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
