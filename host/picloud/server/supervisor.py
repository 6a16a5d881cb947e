"""The worker processes: forked, kept alive, and stopped together.

The parent stays plain: no threads and no event loop, so that forking again at any time is safe and
a signal is answered at once. A worker never outlives it: on Linux the kernel kills it with the
parent, elsewhere it sees the end of a pipe that only the parent holds.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

_log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_IDLE_SECONDS = 1.0  # a child's death wakes the parent earlier
_STEADY_SECONDS = 10.0  # a worker that lived this long did not fail for how it was started
_MARGIN_SECONDS = 2.0  # workers cut requests off themselves; this much later they are killed


@dataclass(frozen=True, slots=True)
class WorkerSlot:
    """What a worker is told when it starts.

    Attributes:
        slot: 0 to count - 1; a restarted worker gets the slot of the one before.
        ready: to be called once it answers.
        lifeline: descriptor that becomes readable when the parent is gone.
    """

    slot: int
    ready: Callable[[], None]
    lifeline: int


@dataclass(slots=True)
class _Worker:
    slot: int
    pid: int = 0
    ready: int = -1  # reading end; a byte says ready, its end that the worker died before
    started: float = 0.0
    failures: int = 0
    due: float | None = 0.0  # when to start it (monotonic); None while it runs


class Workers:
    """Keeps a number of processes running until it is told to stop."""

    def __init__(
        self,
        count: int,
        main: Callable[[WorkerSlot], int],
        *,
        grace: float,
        on_ready: Callable[[], None],
        on_stop: Callable[[], None],
        on_death: Callable[[int], None] = lambda slot: None,
        watch: Callable[[], object],
    ) -> None:
        """Prepare; nothing is started.

        Args:
            count: processes.
            main: what each runs; its result is the exit code.
            grace: seconds a worker gives running requests at a stop.
            on_ready: called once, when every worker has said it is ready.
            on_stop: called once, before the workers are told to stop.
            on_death: called with the slot of a worker that ended without being told to.
            watch: called after every wake-up (at least once a second) for other things to look after.
        """
        self._workers = [_Worker(slot) for slot in range(count)]
        self._main = main
        self._grace = grace
        self._on_ready = on_ready
        self._on_stop, self._on_death = on_stop, on_death
        self._watch = watch
        self._stops = 0
        self._announced = False
        self._woken, self._wake = os.pipe()
        self._lifeline, self._held = os.pipe()

    def run(self) -> int:
        """Run until SIGINT, SIGTERM or SIGHUP, then stop every worker; a second signal kills them.

        Returns:
            0 after a stop that was asked for; 1 when one died before it was ready in the first start.
        """
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only wakes the loop
        failed = False
        try:
            while not self._stops and not failed:
                self._start_due()
                self._wait(self._until_due())
                self._hear()
                self._watch()
                failed = self._reap() and not self._announced
        finally:
            self._stop()
        return 1 if failed else 0

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._stops += 1

    def _until_due(self) -> float:
        dues = [worker.due for worker in self._workers if worker.due is not None]
        return max(0.0, min([_IDLE_SECONDS, *(due - time.monotonic() for due in dues)]))

    def _wait(self, seconds: float) -> None:
        waiting = [self._woken, *(worker.ready for worker in self._workers if worker.ready >= 0)]
        readable, _, _ = select.select(waiting, [], [], seconds)
        if self._woken in readable:
            os.read(self._woken, 4096)

    def _start_due(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if worker.due is not None and worker.due <= now:
                self._start(worker)

    def _start(self, worker: _Worker) -> None:
        reading, writing = os.pipe()
        parent = os.getpid()
        gc.freeze()  # what is there now stays shared: the collector does not write into it
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            self._child(worker.slot, writing, parent)
        os.close(writing)
        worker.pid, worker.ready, worker.started, worker.due = pid, reading, time.monotonic(), None

    def _child(self, slot: int, writing: int, parent: int) -> None:
        """Become a worker; never returns."""
        code = 1
        try:
            _die_with(parent)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            for number in (
                signal.SIGINT,
                signal.SIGHUP,
            ):  # a Ctrl-C reaches every process; the parent decides
                signal.signal(number, signal.SIG_IGN)
            for descriptor in (self._woken, self._wake, self._held, *(w.ready for w in self._workers)):
                if descriptor >= 0:
                    os.close(descriptor)
            code = self._main(WorkerSlot(slot, lambda: _say_ready(writing), self._lifeline))
        except BaseException:
            _log.exception("worker %d failed", slot)
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(code)  # not sys.exit: what the parent set up to run at exit is the parent's

    def _hear(self) -> None:
        """Note who became ready."""
        heard = [worker for worker in self._workers if worker.ready >= 0]
        readable, _, _ = select.select([worker.ready for worker in heard], [], [], 0)
        for worker in heard:
            if worker.ready in readable and os.read(worker.ready, 1):
                os.close(worker.ready)
                worker.ready = -1
        if not self._announced and all(worker.pid and worker.ready < 0 for worker in self._workers):
            self._announced = True
            self._on_ready()

    def _reap(self) -> bool:
        """Collect the dead and plan their return. Returns: whether one died without ever being ready."""
        dead = [worker for worker in self._workers if worker.pid and os.waitpid(worker.pid, os.WNOHANG)[0]]
        never_ready = False
        for worker in dead:
            lived = time.monotonic() - worker.started
            worker.failures = 0 if lived > _STEADY_SECONDS else worker.failures + 1
            worker.due = time.monotonic() + min(5.0, 0.05 * 2**worker.failures) - 0.05
            never_ready |= worker.ready >= 0 and not os.read(worker.ready, 1)
            if self._announced and not self._stops:
                self._on_death(worker.slot)
                _log.error("worker %d (process %d) died; starting another", worker.slot, worker.pid)
            self._forget(worker)
        return never_ready

    def _forget(self, worker: _Worker) -> None:
        if worker.ready >= 0:
            os.close(worker.ready)
        worker.pid, worker.ready = 0, -1

    def _stop(self) -> None:
        """Tell every worker to stop, wait for them, kill those that do not."""
        if self._announced:
            self._on_stop()
        asked = self._stops
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + self._grace + _MARGIN_SECONDS
        while any(worker.pid for worker in self._workers):
            if self._stops > max(asked, 1) or time.monotonic() > deadline:
                self._signal(signal.SIGKILL)
                deadline = float("inf")
            self._wait(0.1)
            self._reap()
        signal.set_wakeup_fd(-1)

    def _signal(self, number: signal.Signals) -> None:
        for worker in self._workers:
            if worker.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, number)


def in_child(work: Callable[[], object]) -> int:
    """Do something in a process of its own, so that its memory and threads are gone afterwards.

    Args:
        work: what to do; the exit code is 1 when it raises, and what it raises is not shown.

    Returns:
        The process's id, to be waited for.
    """
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _die_with(parent)
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it ended before the kernel was told
            os._exit(1)


def _say_ready(writing: int) -> None:
    os.write(writing, b".")
    os.close(writing)
