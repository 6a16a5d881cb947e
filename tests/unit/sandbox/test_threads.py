"""Turns of computing guests on threads."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from uuid import UUID

import pytest

from picloud.sandbox.capi import Guest
from picloud.sandbox.threads import Threads
from tests.workbench import until_waiting

FLOOD, QUIET = UUID(int=1), UUID(int=2)


class Computing:
    """A guest that suspends after each poll; `polls` has the order of all polls."""

    def __init__(self, name: UUID, polls: list[UUID]) -> None:
        self.name, self.polls = name, polls
        self.owner = self
        self.suspended = True

    def poll_releasing_gil(self) -> bool:
        self.polls.append(self.name)
        return False


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads(1)
    yield threads
    threads.close()


async def test_a_guest_of_another_app_waits_for_one_turn_of_a_busy_app(threads: Threads) -> None:
    polls: list[UUID] = []

    async def compute(app_id: UUID, turns: int) -> None:
        guest: Guest = Computing(app_id, polls)  # type: ignore[assignment]
        for _ in range(turns):
            await threads.turn(guest, app_id, time.monotonic() + 60)

    flood = [asyncio.create_task(compute(FLOOD, 5)) for _ in range(20)]
    await until_waiting(flood)
    await compute(QUIET, 10)
    between = [len(list(group)) for app, group in itertools.groupby(polls) if app == FLOOD]
    assert polls.count(QUIET) == 10
    assert all(turns <= 2 for turns in between[1:])
    await asyncio.gather(*flood)


async def test_memory_is_given_back_even_if_the_caller_does_not_wait(threads: Threads) -> None:
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()

    class Large:
        def give_back(self) -> None:
            begun.set()
            go.wait()
            ended.set()

    guest: Guest = Large()  # type: ignore[assignment]
    closing = asyncio.create_task(threads.give_back(guest))
    await asyncio.to_thread(begun.wait)
    closing.cancel()
    await until_waiting([closing])
    assert not closing.done()  # a guest must not be closed while its memory is given back
    go.set()
    await asyncio.gather(closing, return_exceptions=True)
    assert ended.is_set()
    assert closing.cancelled()
