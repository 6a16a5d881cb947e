"""Promises of turns: whatever is waiting to be parsed, each turn of the loop takes little of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.http.edge import turns
from picloud.http.edge.turns import Turns
from tests.integration.http.conftest import until

SLICE = 0.00025  # seconds that each slice takes, by a clock of our own
AT_MOST = 4  # slices: what fits into 1 ms


class Clock:
    """Stands in for the clock of `turns`."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


class Input:
    """So many slices to parse."""

    def __init__(self, slices: int, clock: Clock, log: list[Input]) -> None:
        self.slices, self.clock, self.log, self.aborted = slices, clock, log, False

    def read_slice(self) -> bool:
        self.clock.now += SLICE
        self.log.append(self)
        self.slices -= 1
        return self.slices > 0

    def abort(self) -> None:
        self.aborted = True


class Broken(Input):
    def read_slice(self) -> bool:
        raise ValueError("a fault in here")


@pytest.fixture(scope="module")
def clock() -> Iterator[Clock]:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns, "time", clock)
        yield clock


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12))
def test_a_turn_of_the_loop_takes_so_much_and_everyone_gets_the_same(clock: Clock, sizes: list[int]) -> None:
    async def main() -> None:
        log: list[Input] = []
        shared, per_turn = Turns(), []
        inputs = [Input(size, clock, log) for size in sizes]
        for one in inputs:
            shared.enter(one)
        while any(one.slices > 0 for one in inputs):
            per_turn.append(len(log))
            await asyncio.sleep(0)
        per_turn.append(len(log))
        steps = [after - before for before, after in zip([0, *per_turn], per_turn, strict=False)]
        assert max(steps) <= AT_MOST + 1
        assert sum(steps) == sum(sizes)
        first = [log.index(one) for one in inputs]  # no one waits for another to finish
        assert all(b - a <= AT_MOST + len(inputs) for a, b in pairwise(first))

    asyncio.run(main())


async def test_what_fits_is_parsed_at_once(clock: Clock) -> None:
    shared = Turns()
    assert not shared.enter(Input(3, clock, []))
    assert shared.enter(Input(3, clock, []))


async def test_a_fault_ends_one_connection_and_the_others_go_on(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    shared, log = Turns(), list[Input]()
    first, broken, last = Input(20, clock, log), Broken(1, clock, log), Input(3, clock, log)
    for one in (first, broken, last):
        shared.enter(one)
    await until(lambda: not first.slices and not last.slices)
    assert broken.aborted
    assert "parsing a request failed" in caplog.text
