"""SIGKILL at every step of a write: no row is ever without its bytes, and the sweep removes what is left."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from picloud.db import pool
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database
from picloud.services.files import folder as folder_module
from picloud.services.files.folder import FolderStore
from picloud.services.files.service import Files
from picloud.services.files.sweep import Sweep, claim
from tests.integration.db.forked import child
from tests.integration.services.files.conftest import PAUPER, PRINCE, add_app, calling, create, named, on_disk

OLD, NEW = b"old" * 50_000, b"new" * 70_000
CALL = calling(PRINCE)

Write = Callable[[Files, str], Coroutine[Any, Any, object]]
WRITES: dict[str, Write] = {
    "create": lambda files, _: create(files, NEW, PAUPER, collection="made"),
    "update": lambda files, id_: files.update(CALL, "notes", id_, "b", None, None, NEW),
    "update without bytes": lambda files, id_: files.update(CALL, "notes", id_, "b", None, None, None),
    "delete": lambda files, id_: files.delete(CALL, "notes", id_),
}


class Steps:
    """Counts what is done to the disk and said to the database; at one of them the process is killed.

    A system call or statement is two steps: before it and after it. A write that is cut short is one more.
    """

    def __init__(self, fatal: int) -> None:
        self.taken, self.fatal = 0, fatal

    def step(self) -> bool:
        self.taken += 1
        return self.taken == self.fatal

    def __getattr__(self, name: str) -> Any:
        """What `folder.py` sees as `os`."""
        function = getattr(os, name)
        if name not in ("open", "write", "fsync", "rename", "mkdir", "unlink", "close"):
            return function

        def call(*args: Any) -> Any:
            if self.step():
                die()
            if name == "write" and self.step():
                os.write(args[0], args[1][: len(args[1]) // 2])
                die()
            result = function(*args)
            if self.step():
                die()
            return result

        return call

    def around(self, method: Any) -> Any:
        """A method of a connection."""

        async def call(*args: Any, **more: Any) -> Any:
            if self.step():
                die()
            result = await method(*args, **more)
            if self.step():
                die()
            return result

        return call


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def write(parameters: ConnectionParameters, root: Path, work: Write, id_: str, fatal: int) -> int:
    """One write in a process that is killed at a step. Returns: how many steps it has."""
    database = await Database.open(parameters, 2)
    files, steps = Files(database, FolderStore(root)), Steps(fatal)
    folder_module.os = steps  # type: ignore[attr-defined]
    for name in ("execute", "fetchrow", "fetchval", "fetch"):
        setattr(pool._PooledConnection, name, steps.around(getattr(pool._PooledConnection, name)))
    await work(files, id_)
    await files._changes.drain()
    return steps.taken


async def prepared(parameters: ConnectionParameters, root: Path) -> str:
    """Two apps, one with two files. Returns: the id of the first."""
    database = await Database.open(parameters, 2)
    store = FolderStore(root)
    files = Files(database, store)
    await claim(database, store)
    for app_id in (PRINCE, PAUPER):
        await database.execute("DELETE FROM apps WHERE id = $1", app_id)
        await files.remove_app(app_id)
        await add_app(database, app_id)
    made = await create(files, OLD)
    await create(files, OLD, collection="beside")
    await files.close()
    await database.close()
    return str(made["id"])


async def audited(parameters: ConnectionParameters, root: Path) -> tuple[list[tuple[str, str, bytes]], int]:
    """What is there after a crash. Returns: collection, name and bytes of every file; what was swept."""
    database = await Database.open(parameters, 2)
    store = FolderStore(root)
    files = Files(database, store)
    # The killed process's connection may still be ending its statement.
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    async with asyncio.timeout(30):
        while await database.fetchval(others):  # noqa: ASYNC110  # nothing announces it
            await asyncio.sleep(0.01)
    assert await named(database) <= on_disk(root), "a row without bytes"
    swept = await Sweep(database, store, old_seconds=0).sweep()
    assert on_disk(root) == await named(database), "the sweep left something, or took too much"
    assert not list((root / "incoming").iterdir())
    found = []
    for row in await database.fetch("SELECT app_id, collection, id FROM files ORDER BY collection"):
        read = await files.get(calling(row["app_id"]), row["collection"], str(row["id"]))
        assert read is not None
        entry = json.loads(str(read["file"]))
        found.append((row["collection"], entry["name"], bytes(read["data"])))  # type: ignore[call-overload]
    await files.close()
    await database.close()
    return found, swept


BESIDE, BEFORE = ("beside", "a.txt", OLD), ("notes", "a.txt", OLD)
OUTCOMES = {
    "create": ([BESIDE, BEFORE], [BESIDE, ("made", "a.txt", NEW), BEFORE]),
    "update": ([BESIDE, BEFORE], [BESIDE, ("notes", "b", NEW)]),
    "update without bytes": ([BESIDE, BEFORE], [BESIDE, ("notes", "b", OLD)]),
    "delete": ([BESIDE, BEFORE], [BESIDE]),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", WRITES)
def test_a_write_that_is_killed_at_any_step_happened_or_did_not(
    connection_parameters: ConnectionParameters, root: Path, what: str
) -> None:
    before, after = OUTCOMES[what]
    outcomes, swept = [], 0
    for fatal in itertools.count(1):
        id_ = asyncio.run(prepared(connection_parameters, root))

        def work(send: Callable[[object], None], id_: str = id_, fatal: int = fatal) -> None:
            send(asyncio.run(write(connection_parameters, root, WRITES[what], id_, fatal)))

        with child(work) as started:
            try:
                steps = started.receive()
            except EOFError:  # killed
                steps = None
        found, removed = asyncio.run(audited(connection_parameters, root))
        assert found in (before, after), f"step {fatal}"
        outcomes.append(found == after)
        swept += removed
        if steps is not None:
            assert steps == fatal - 1
            break
    assert outcomes == sorted(outcomes), "what was done was undone at a later step"
    assert not outcomes[0]
    assert outcomes[-1]
    assert (swept > 0) == (what != "update without bytes"), "no step leaves anything: are these all?"
