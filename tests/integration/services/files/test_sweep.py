"""The sweep removes only blobs without a row, during any other work."""

from __future__ import annotations

import asyncio
import os
import re
import time
from pathlib import Path
from uuid import uuid4

import pytest

from picloud.core.errors import ServiceError
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database
from picloud.services.files.folder import FolderStore
from picloud.services.files.service import Files
from picloud.services.files.store import Blob, StoreUnusable
from picloud.services.files.sweep import Sweep, claim, delete_missing
from tests.integration.services.files.conftest import PRINCE, calling, create, named, on_disk


def age(root: Path, seconds: float) -> None:
    """Let everything have been written so long ago."""
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, times=(time.time() - seconds,) * 2)


async def test_only_old_blobs_without_a_row_are_removed(
    files: Files, store: FolderStore, database: Database, root: Path
) -> None:
    made = await create(files, b"kept")
    orphan = Blob(PRINCE, uuid4())
    await store.put(orphan, b"left")
    (root / "incoming" / "unfinished").write_bytes(b"half")
    age(root, 3500)
    sweep = Sweep(database, store)
    assert await sweep.sweep() == 0
    age(root, 3700)
    young = Blob(PRINCE, uuid4())
    await store.put(young, b"a write under way")
    assert await sweep.sweep() == 2
    assert on_disk(root) == await named(database) | {young.id}
    assert not list((root / "incoming").iterdir())
    assert await files.get(calling(PRINCE), "notes", made["id"])


async def test_a_blob_of_a_running_transaction_is_kept(
    files: Files, store: FolderStore, database: Database, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    naming, go_on = asyncio.Event(), asyncio.Event()
    has = FolderStore.has

    async def slow(self: FolderStore, blob: Blob) -> bool:
        there = await has(self, blob)
        naming.set()
        await go_on.wait()
        return there

    monkeypatch.setattr(FolderStore, "has", slow)
    writing = asyncio.create_task(create(files, b"slow"))
    async with asyncio.timeout(30):
        await naming.wait()
    age(root, 1_000_000)
    swept = await Sweep(database, store).sweep()
    go_on.set()
    made = await writing
    assert swept == 0
    assert await files.get(calling(PRINCE), "notes", made["id"])


async def test_a_write_that_the_sweep_was_faster_than_fails_and_names_nothing(
    files: Files, store: FolderStore, database: Database, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = FolderStore.put

    async def stopped(self: FolderStore, blob: Blob, data: bytes) -> bytes:
        digest = await put(self, blob, data)
        age(root, 1_000_000)  # the machine slept
        assert await Sweep(database, store).sweep() == 1
        return digest

    monkeypatch.setattr(FolderStore, "put", stopped)
    with pytest.raises(ServiceError, match="too long"):
        await create(files)
    assert not on_disk(root)
    assert not await named(database)


async def test_concurrent_writes_and_sweeps_lose_nothing(
    files: Files, store: FolderStore, database: Database, root: Path
) -> None:
    stop, sweep = asyncio.Event(), Sweep(database, store, old_seconds=0)  # as if every write took an hour

    async def sweeping() -> None:
        while not stop.is_set():
            await sweep.sweep()

    running = asyncio.create_task(sweeping())
    made = []
    for number in range(60):
        try:
            made.append(((await create(files, str(number).encode()))["id"], number))
        except ServiceError as error:
            # The sweep was faster, with the blob or with what is in `incoming/`; nothing else may go wrong.
            assert re.search("too long|written", str(error))  # noqa: PT017
    stop.set()
    await running
    for id_, number in made:
        read = await files.get(calling(PRINCE), "notes", id_)
        assert read is not None
        assert read["data"] == str(number).encode()
    await sweep.sweep()
    assert on_disk(root) == await named(database)


async def test_one_node_sweeps_at_a_time(
    files: Files,
    store: FolderStore,
    database: Database,
    root: Path,
    connection_parameters: ConnectionParameters,
) -> None:
    await store.put(Blob(PRINCE, uuid4()), b"left")
    there = await Database.open(connection_parameters, 2)
    async with there.transaction() as elsewhere:
        await elsewhere.execute("SELECT pg_advisory_xact_lock(hashtextextended('picloud files sweep', 0))")
        assert await Sweep(database, store, old_seconds=0).sweep() == 0
    assert await Sweep(database, store, old_seconds=0).sweep() == 1
    await there.close()


async def test_blobs_of_a_deleted_app_are_removed_with_their_folders(
    files: Files, store: FolderStore, database: Database, root: Path
) -> None:
    await create(files)
    await database.execute("DELETE FROM apps WHERE id = $1", PRINCE)  # and killed before the bytes went
    await Sweep(database, store).sweep()
    assert len(on_disk(root)) == 1
    await Sweep(database, store, old_seconds=0).sweep()
    assert not (root / PRINCE.hex).exists()


async def test_files_of_others_in_the_folder_are_not_touched(
    files: Files, store: FolderStore, database: Database, root: Path
) -> None:
    await create(files)
    strangers = [root / "README", root / "lost+found" / "x", root / PRINCE.hex / "aa" / "notes.txt"]
    for path in strangers:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"?")
    age(root, 1_000_000)
    assert await Sweep(database, store).sweep() == 0
    assert all(path.exists() for path in strangers)


async def test_files_of_another_database_are_not_touched(
    files: Files, store: FolderStore, database: Database, root: Path, empty_database: ConnectionParameters
) -> None:
    await create(files)
    await claim(database, store)
    age(root, 1_000_000)
    other = await Database.open(empty_database, 2)
    await other.execute("CREATE TABLE instance_settings (name text PRIMARY KEY, value jsonb NOT NULL)")
    with pytest.raises(StoreUnusable, match="another instance"):
        await Sweep(other, store).sweep()
    assert len(on_disk(root)) == 1
    await other.close()
    await claim(database, store)


async def test_a_store_without_the_files_of_the_database_is_rejected_until_they_are_deleted(
    files: Files, store: FolderStore, database: Database, root: Path, tmp_path: Path
) -> None:
    made = [await create(files, b"one"), await create(files, b"two")]
    await claim(database, store)
    FolderStore.prepare(tmp_path / "empty")
    empty = FolderStore(tmp_path / "empty")
    with pytest.raises(StoreUnusable, match="does not have the files"):
        await claim(database, empty)
    next(path for path in root.glob("*/*/*") if path.read_bytes() == b"one").unlink()
    await claim(database, store)
    assert await delete_missing(database, store) == 1
    assert await database.fetchval("SELECT count(*) FROM files") == len(made) - 1
    assert await delete_missing(database, empty) == 1
    await claim(database, empty)
    empty.close()
