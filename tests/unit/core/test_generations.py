from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from picloud.core.generations import TOPICS, Generations


def _in_fork(work: Callable[[], bool]) -> bool:
    """Whether `work` returned True in a forked child."""
    child = os.fork()
    if child == 0:
        code = 2
        try:
            code = 0 if work() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_bump_changes_its_topic_and_no_other() -> None:
    generations = Generations(2)
    before = {topic: generations.current(topic) for topic in TOPICS}
    generations.bump("routes")
    changed = [topic for topic in TOPICS if generations.current(topic) != before[topic]]
    assert changed == ["routes"]


def test_a_bump_in_one_process_is_seen_by_the_others_at_once() -> None:
    generations = Generations(2)
    before = generations.current("scripts")

    def bump_in_the_other() -> bool:
        generations.own(1)
        generations.bump("scripts")
        return True

    assert _in_fork(bump_in_the_other)
    seen = generations.current("scripts")
    assert seen != before
    assert _in_fork(lambda: generations.current("scripts") == seen)


def test_workers_that_bump_at_the_same_time_lose_none() -> None:
    workers, rounds = 4, 2_000
    generations = Generations(workers)
    children = []
    for slot in range(workers):
        child = os.fork()
        if child == 0:
            generations.own(slot)
            for _ in range(rounds):
                generations.bump("users")
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    row = memoryview(generations.current("users")).cast("Q")
    assert list(row) == [rounds] * workers


def test_a_restarted_worker_continues_the_count_of_its_predecessor() -> None:
    generations = Generations(1)
    seen = {generations.current("users")}
    for _ in range(3):
        assert _in_fork(lambda: generations.bump("users") is None)
        seen.add(generations.current("users"))
    assert len(seen) == 4


def test_an_unknown_topic_is_an_error() -> None:
    with pytest.raises(KeyError):
        Generations().bump("weather")
