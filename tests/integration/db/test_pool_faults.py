"""A server killed again and again under load, seen from the pool."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
import uvloop

from picloud.core.errors import Unavailable
from picloud.db.embedded import EmbeddedPostgres
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database

Runner = Callable[[Coroutine[None, None, None]], None]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_callers_see_unavailable_and_nothing_else_and_no_acknowledged_write_is_lost(
    folder: Path, run: Runner
) -> None:
    server = EmbeddedPostgres(folder)
    with server as parameters:
        run(_kill_under_load(server, parameters))


async def _kill_under_load(server: EmbeddedPostgres, parameters: ConnectionParameters) -> None:
    database = await Database.open(parameters, 8)
    await database.execute("CREATE TABLE t (n int PRIMARY KEY)")
    numbers, acknowledged, stop = itertools.count(), set[int](), asyncio.Event()

    async def write(number: int) -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO t VALUES ($1)", number)
            await connection.fetchval("SELECT count(*) FROM t")

    async def client() -> None:
        while not stop.is_set():
            number = next(numbers)
            try:
                await write(number)
                acknowledged.add(number)
            except Unavailable:
                await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as clients:  # any other exception ends the group, and fails the test
        for _ in range(20):
            clients.create_task(client())
        for end in (signal.SIGKILL, signal.SIGQUIT, signal.SIGINT, signal.SIGKILL):
            await _more_writes(server, acknowledged)
            assert server.pid is not None
            os.kill(server.pid, end)
            restarted = False
            while not restarted:
                await asyncio.sleep(0.01)
                restarted = server.poll()
        await _more_writes(server, acknowledged)
        stop.set()
    rows = await database.fetch("SELECT n FROM t")
    assert acknowledged <= {row["n"] for row in rows}
    await database.close()


async def _more_writes(server: EmbeddedPostgres, acknowledged: set[int]) -> None:
    enough = len(acknowledged) + 50
    while len(acknowledged) < enough:
        server.poll()
        await asyncio.sleep(0.01)
