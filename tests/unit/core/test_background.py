"""Promises of core/background.py."""

from __future__ import annotations

import asyncio

import pytest

from picloud.core.background import Background
from picloud.core.errors import Unavailable


async def test_work_runs_in_the_background_one_at_a_time() -> None:
    background, gate, done = Background(), asyncio.Event(), []

    async def work() -> None:
        await gate.wait()
        done.append(1)

    for _ in range(3):
        background.spawn("the same", work)
    background.spawn("another", work)
    assert done == []
    gate.set()
    await background.drain()
    assert done == [1, 1]
    background.spawn("the same", work)
    await background.drain()
    assert done == [1, 1, 1]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Unavailable(), "x could not be written: the database is not available"),
        (ValueError("no"), "x could not be written"),
    ],
)
async def test_a_failure_is_logged_only(
    error: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    background = Background()

    async def work() -> None:
        raise error

    background.spawn("x", work)
    await background.drain()
    assert said in caplog.text
