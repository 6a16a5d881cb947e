"""The worker processes: forks them, restarts them, and stops them together.

A worker that dies is replaced, and so is one whose event loop does not run any more. Two hung workers are
replaced one after the other, so that a fault of the machine does not end all requests at once.

The parent has no threads and no event loop, so that it can fork safely at any time and handle signals at
once. A worker never outlives the parent: on Linux the kernel kills it, on other systems it sees the end of
a pipe that only the parent holds.
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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import FrameType

from picloud.server.heartbeats import HUNG_SECONDS, Heartbeats, traced

_log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_IDLE_SECONDS = 1.0  # a child's death wakes the parent earlier
_STEADY_SECONDS = 10.0  # a worker that lived this long did not fail because of its start
_LATE_SECONDS = (
    2.5  # between two looks at the workers: this process was suspended, and they may have been too
)
_PATIENCE_SECONDS = 30.0  # that a hung worker is left alone while another is being replaced
_MARGIN_SECONDS = 2.0  # workers abort requests themselves; this much later they are killed


@dataclass(frozen=True, slots=True)
class WorkerSlot:
    """What a worker gets when it starts.

    Attributes:
        slot: 0 to count - 1; a restarted worker gets the slot of its predecessor.
        ready: the worker must call it once it accepts requests.
        beat: the worker must call it every `heartbeats.BEAT_SECONDS`, once it has called it first.
        lifeline: descriptor that becomes readable when the parent ends.
    """

    slot: int
    ready: Callable[[], None]
    beat: Callable[[], None]
    lifeline: int


@dataclass(slots=True)
class _Worker:
    slot: int
    pid: int = 0
    ready: int = -1  # reading end of a pipe; a byte means ready, end of file that the worker died
    started: float = 0.0
    failures: int = 0
    hung: bool = False
    killed: bool = False
    due: float | None = 0.0  # when to start it (monotonic); None while it runs

    @property
    def is_up(self) -> bool:
        return self.pid != 0 and self.ready < 0 and not self.killed


class Workers:
    """Keeps a number of worker processes running until it is stopped."""

    def __init__(
        self,
        count: int,
        main: Callable[[WorkerSlot], int],
        *,
        grace: float,
        on_ready: Callable[[], None],
        on_stop: Callable[[], None],
        on_death: Callable[[int], None] = lambda slot: None,
        on_serving: Callable[[Sequence[int]], None] = lambda slots: None,
        watch: Callable[[], object],
    ) -> None:
        """Create it; `run` starts the workers.

        Args:
            count: number of processes.
            main: runs in each worker; returns its exit code.
            grace: seconds that workers wait for running requests when they stop.
            on_ready: called once, when all workers are ready.
            on_stop: called once, before the workers are stopped.
            on_death: called with the slot of a worker that died.
            on_serving: called with the slots of the workers that can accept connections, when they change
                after all were ready.
            watch: called at least once a second, for other periodic checks.
        """
        self._workers = [_Worker(slot) for slot in range(count)]
        self._main = main
        self._grace = grace
        self._on_ready = on_ready
        self._on_stop, self._on_death, self._on_serving = on_stop, on_death, on_serving
        self._watch = watch
        self._heartbeats = Heartbeats(count)
        self._serving = list(range(count))
        self._looked = time.monotonic()
        self._stops = 0
        self._announced = False
        self._woken, self._wake = os.pipe()
        self._lifeline, self._held = os.pipe()

    def run(self) -> int:
        """Run until SIGINT, SIGTERM or SIGHUP, then stop every worker; a second signal kills them.

        Returns:
            0 after a requested stop; 1 if a worker died before the server was ready.
        """
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._request_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only wakes the loop
        failed = False
        try:
            while not self._stops and not failed:
                self._start_due()
                self._wait(self._until_due())
                self._read_ready()
                self._watch()
                self._find_hung()
                failed = self._reap() and not self._announced
                self._report_serving()
        finally:
            self._stop()
        return 1 if failed else 0

    def _request_stop(self, number: int, frame: FrameType | None) -> None:
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
        gc.freeze()  # existing objects stay in shared memory: the collector does not write to them
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
            ):  # Ctrl-C reaches all processes; the parent handles it
                signal.signal(number, signal.SIG_IGN)
            for descriptor in (self._woken, self._wake, self._held, *(w.ready for w in self._workers)):
                if descriptor >= 0:
                    os.close(descriptor)
            beat = partial(self._heartbeats.beat, slot)
            code = self._main(WorkerSlot(slot, lambda: _report_ready(writing), beat, self._lifeline))
        except BaseException:
            _log.exception("worker %d failed", slot)
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(code)  # not sys.exit, which would run the parent's exit handlers

    def _read_ready(self) -> None:
        """Record which workers became ready."""
        starting = [worker for worker in self._workers if worker.ready >= 0]
        readable, _, _ = select.select([worker.ready for worker in starting], [], [], 0)
        for worker in starting:
            if worker.ready in readable and os.read(worker.ready, 1):
                os.close(worker.ready)
                worker.ready = -1
        if not self._announced and all(worker.pid and worker.ready < 0 for worker in self._workers):
            self._announced = True
            self._on_ready()

    def _find_hung(self) -> None:
        """Kill a worker that does not respond; `_reap` replaces it."""
        now, before = time.monotonic(), self._looked
        self._looked = now
        if now - before > _LATE_SECONDS:
            self._heartbeats.forgive()
        for worker in self._workers:
            silence = self._heartbeats.silence(worker.slot, worker.pid)
            was_hung, worker.hung = worker.hung, silence > HUNG_SECONDS
            if not worker.hung:
                continue
            if traced(worker.pid):
                if not was_hung:
                    _log.warning("worker %d (process %d) is held by a debugger", worker.slot, worker.pid)
            elif silence > _PATIENCE_SECONDS or all(other.is_up for other in self._workers):
                _log.error(
                    "worker %d (process %d) has not responded for %.1f seconds; killing it",
                    worker.slot,
                    worker.pid,
                    silence,
                )
                os.kill(worker.pid, signal.SIGKILL)
                worker.killed = True

    def _report_serving(self) -> None:
        serving = [worker.slot for worker in self._workers if worker.is_up and not worker.hung]
        if self._announced and not self._stops and serving != self._serving:
            self._serving = serving
            self._on_serving(serving)

    def _reap(self) -> bool:
        """Reap dead workers and schedule their restart. Returns: whether one died before it was ready."""
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
            self._reset(worker)
        return never_ready

    def _reset(self, worker: _Worker) -> None:
        if worker.ready >= 0:
            os.close(worker.ready)
        worker.pid, worker.ready, worker.hung, worker.killed = 0, -1, False, False
        self._heartbeats.clear(worker.slot)

    def _stop(self) -> None:
        """Stop all workers, wait for them, and kill those that do not stop in time."""
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
    """Run a function in a child process, so that its memory and threads are freed afterwards.

    Args:
        work: the function; if it raises, the exit code is 1 and the exception is not shown.

    Returns:
        The process id; the caller must wait for it.
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
    """Make the kernel kill this process when its parent ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it ended before the call
            os._exit(1)


def _report_ready(writing: int) -> None:
    os.write(writing, b".")
    os.close(writing)
