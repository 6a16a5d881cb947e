"""Following: a list that grows as the server's does, looked at whenever."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from picloud.cli.remote import follow
from picloud.cli.remote.client import Json
from picloud.cli.remote.follow import Follower


class Log:
    """The execution log of a server: newest first, each record there when its execution has ended.

    Attributes:
        now: milliseconds.
        executions: (began, ended) in milliseconds.
        listed: how many items were given out.
    """

    def __init__(self, executions: list[tuple[int, int]], page: int) -> None:
        self.now, self.executions, self.page, self.listed = 0, executions, page, 0

    async def pages(self, path: str, query: object, limit: object, **parts: Any) -> AsyncIterator[list[Json]]:
        ids = sorted((name(one) for one in self.there()), reverse=True)
        for start in range(0, max(len(ids), 1), self.page):
            page = ids[start : start + self.page]
            self.listed += len(page)
            yield [{"execution_id": id_} for id_ in page]

    def there(self) -> list[int]:
        return [number for number, (_, ended) in enumerate(self.executions) if ended <= self.now]


def _log(executions: list[tuple[int, int]], page: int) -> tuple[Log, Follower]:
    log = Log(executions, page)
    _began.clear()
    _began.update({number: began for number, (began, _) in enumerate(executions)})
    return log, Follower(log, "", {}, {})  # type: ignore[arg-type]


_began: dict[int, int] = {}


def name(number: int) -> str:
    """A UUIDv7 of an execution."""
    value = (_began[number] + 1_700_000_000_000) << 80 | 7 << 76 | 2 << 62 | number
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


_EXECUTIONS = st.lists(
    st.tuples(st.integers(0, 2_000_000), st.integers(0, 300_000)).map(lambda one: (one[0], sum(one))),
    max_size=60,
)


@example([(0, 1), (330_001, 330_001), (0, 0)], [700_000], 1, 0)
@given(
    _EXECUTIONS,
    st.lists(st.integers(1, 60_000) | st.just(700_000), max_size=60),
    st.integers(1, 10),
    st.integers(0, 5),
)
async def test_each_execution_is_given_once_and_none_is_left_out(
    executions: list[tuple[int, int]], pauses: list[int], page: int, limit: int
) -> None:
    log, follower = _log(executions, page)
    first = await follower.first(limit)
    # Of those that are there at the start, the newest.
    newest = sorted(name(one) for one in log.there())
    assert [one["execution_id"] for one in first] == newest[len(newest) - min(limit, len(newest)) :]
    before = set(log.there())
    given_out: list[str] = []
    for pause in pauses:
        log.now += pause
        fresh = [one["execution_id"] for one in await follower.next()]
        assert fresh == sorted(fresh)
        given_out += fresh
    for _ in range(follow.LOOKS_PER_SWEEP):  # by the next sweep those are there that took long
        given_out += [one["execution_id"] for one in await follower.next()]
    assert sorted(given_out) == sorted(name(one) for one in log.there() if one not in before)


async def test_a_look_at_a_long_log_in_which_nothing_is_new_asks_for_one_page() -> None:
    log, follower = _log([(at, at) for at in range(1000)], 50)
    log.now = 10_000
    await follower.first(10)
    log.listed = 0
    assert await follower.next() == []
    assert log.listed == 50


async def test_what_was_seen_long_ago_is_not_kept_in_memory() -> None:
    log, follower = _log([(at * 10_000, at * 10_000) for at in range(500)], 50)
    for log.now in range(0, 5_000_000, 100_000):
        await follower.next()
    assert len(follower.seen) < 100
