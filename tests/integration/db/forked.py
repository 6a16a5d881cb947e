"""Child processes that can be killed or run as another user.

Forked and not started anew: a child that has become another user may not be able to read the interpreter.
"""

from __future__ import annotations

import codecs
import os
import pickle
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, Pipe
from typing import Any

for _encoding in ("ascii", "idna", "utf-8"):  # loaded while they can be read
    codecs.lookup(_encoding)


class Child:
    """A forked process that runs `work(send)`, then waits to be killed."""

    def __init__(self, work: Callable[[Callable[[object], None]], object], uid: int | None = None) -> None:
        """Args: work: gets a function that sends an object to the parent. uid: whom to become first."""
        self._results: Connection
        self._results, theirs = Pipe(duplex=False)
        self.pid = os.fork()
        if self.pid == 0:
            _live(work, uid, theirs)
        theirs.close()

    def receive(self) -> Any:
        """Wait for the next object the child sends; an exception is raised here."""
        result = self._results.recv()
        if isinstance(result, BaseException):
            raise result
        return result

    def kill(self) -> None:
        """SIGKILL it, and wait for its end."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self._results.close()
            self.pid = 0


@contextmanager
def child(work: Callable[[Callable[[object], None]], object], uid: int | None = None) -> Iterator[Child]:
    """A child that does not outlive the block."""
    started = Child(work, uid)
    try:
        yield started
    finally:
        started.kill()


def as_user(uid: int | None, work: Callable[[], Any]) -> Any:
    """What `work()` returns or raises, run in a child that has become the user `uid`."""
    with child(lambda send: send(work()), uid) as started:
        return started.receive()


def _live(work: Callable[[Callable[[object], None]], object], uid: int | None, results: Connection) -> None:
    try:
        if uid is not None:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        try:
            work(results.send)
        except BaseException as error:  # all of it is the parent's to see
            try:
                results.send(pickle.loads(pickle.dumps(error)))
            except Exception:
                results.send(AssertionError(traceback.format_exc()))
        signal.pause()
    finally:
        os._exit(1)
