"""A bump wakes the waiters of its topic in every process, and is never missed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator

import pytest

from picloud.core.generations import Generations
from picloud.core.wakeup import WakeUp

PATIENCE = 30.0


@pytest.fixture
def generations() -> Generations:
    return Generations(2)


@pytest.fixture
async def wake_up(generations: Generations) -> Iterator[WakeUp]:
    wake_up = WakeUp(generations)
    yield wake_up
    wake_up.close()


def in_fork(work: Callable[[], object]) -> None:
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    os.waitpid(child, 0)


async def test_a_commit_of_another_worker_wakes_this_one(generations: Generations, wake_up: WakeUp) -> None:
    def commit() -> None:
        generations.own(1)
        generations.bump("routes")

    with wake_up.subscribe("routes") as subscription:
        in_fork(commit)
        assert await subscription.wait(PATIENCE)


async def test_a_commit_of_its_own_wakes_a_worker_too(generations: Generations, wake_up: WakeUp) -> None:
    with wake_up.subscribe("routes") as subscription:
        generations.bump("routes")
        assert await subscription.wait(PATIENCE)


async def test_exactly_the_waiters_of_a_topic_are_woken(generations: Generations, wake_up: WakeUp) -> None:
    with (
        wake_up.subscribe("routes") as one,
        wake_up.subscribe("routes") as two,
        wake_up.subscribe("users") as other,
    ):
        generations.bump("routes")
        assert await one.wait(PATIENCE)
        assert await two.wait(PATIENCE)
        assert not await other.wait(0)


async def test_a_commit_during_the_search_for_work_ends_the_next_wait(
    generations: Generations, wake_up: WakeUp
) -> None:
    with wake_up.subscribe("routes") as subscription:
        generations.bump("routes")
        await asyncio.sleep(0)
        assert await subscription.wait(PATIENCE)
        assert not await subscription.wait(0)


async def test_a_closed_waiter_is_not_woken(generations: Generations, wake_up: WakeUp) -> None:
    with wake_up.subscribe("routes") as closed:
        pass
    with wake_up.subscribe("routes") as subscription:
        generations.bump("routes")
        assert await subscription.wait(PATIENCE)
    assert not await closed.wait(0)


async def test_a_commit_before_the_subscription_wakes_no_waiter(
    generations: Generations, wake_up: WakeUp
) -> None:
    generations.bump("routes")
    with wake_up.subscribe("routes") as subscription, wake_up.subscribe("users") as later:
        generations.bump("users")
        assert await later.wait(PATIENCE)
        assert not await subscription.wait(0)


async def test_a_worker_that_is_started_again_is_woken_by_the_same_doorbell(generations: Generations) -> None:
    before = WakeUp(generations)
    before.close()
    after = WakeUp(generations)
    with after.subscribe("users") as subscription:
        generations.bump("users")
        assert await subscription.wait(PATIENCE)
    after.close()
