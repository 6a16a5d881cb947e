"""A periodic task continues after a failed run, and ends when it is closed."""

from __future__ import annotations

import asyncio
import logging

import pytest

from picloud.core.errors import Unavailable
from picloud.core.periodic import PeriodicTask


async def test_a_run_that_fails_is_logged_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    outcomes = [ValueError("odd"), Unavailable(), None]
    done = asyncio.Event()

    async def run() -> float:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome
        done.set()
        return 3600.0

    task = PeriodicTask("counting", run, retry_seconds=0.0)
    with caplog.at_level(logging.WARNING):
        task.start()
        async with asyncio.timeout(30):
            await done.wait()
    await task.close()
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert all("counting failed" in record.getMessage() for record in caplog.records)


async def test_closing_cancels_the_run_under_way() -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def run() -> float:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return 0.0

    task = PeriodicTask("waiting", run, retry_seconds=0.0)
    task.start()
    await started.wait()
    await task.close()
    assert cancelled.is_set()


async def test_one_that_never_started_can_be_closed() -> None:
    async def run() -> float:
        return 0.0

    await PeriodicTask("idle", run, retry_seconds=0.0).close()
