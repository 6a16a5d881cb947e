"""The folder of files: content, permissions, order of writes, and a full disk."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from picloud.core.errors import StorageFull
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database
from picloud.services.files import folder as folder_module
from picloud.services.files.folder import FolderStore
from picloud.services.files.service import Files
from picloud.services.files.store import Blob, StoreUnusable
from tests.integration.db.forked import as_user, child
from tests.integration.services.files.conftest import PRINCE, add_app, calling, create, named, on_disk

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")


async def test_other_users_cannot_read_the_folder(files: Files, root: Path) -> None:
    await create(files)
    umask = os.umask(0)
    try:
        await create(files, collection="other")
    finally:
        os.umask(umask)
    for path in [root, *root.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


async def test_a_path_consists_of_ids_only(files: Files, root: Path) -> None:
    await create(files, collection="../../etc", name="../passwd")
    (blob,) = on_disk(root)
    assert (root / PRINCE.hex / blob.hex[-2:] / blob.hex).exists()


def test_a_folder_that_others_can_look_into_is_closed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o755)
    FolderStore.prepare(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    assert str(tmp_path) in caplog.text


def test_the_folder_can_be_a_link_to_another_disk(tmp_path: Path) -> None:
    (tmp_path / "large").mkdir()
    (tmp_path / "files").symlink_to(tmp_path / "large")
    FolderStore.prepare(tmp_path / "files")
    store = FolderStore(tmp_path / "files")
    asyncio.run(store.put(Blob(PRINCE, uuid4()), b"x"))
    store.close()
    assert on_disk(tmp_path / "large")


def test_a_path_that_is_not_a_folder_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("")
    with pytest.raises(StoreUnusable, match=str(tmp_path / "files")):
        FolderStore.prepare(tmp_path / "files")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "incoming").write_text("")
    with pytest.raises(StoreUnusable, match=str(tmp_path / "folder")):
        FolderStore.prepare(tmp_path / "folder")


@AS_ROOT
def test_a_folder_of_another_user_is_rejected() -> None:
    folder = Path("/tmp") / f"picloud-{uuid4().hex}"
    folder.mkdir(mode=0o700)
    try:
        os.chown(folder, 12345, 12345)
        with pytest.raises(StoreUnusable, match="another user"):
            FolderStore.prepare(folder)
        with pytest.raises(StoreUnusable, match="Permission denied"):
            as_user(54321, lambda: FolderStore.prepare(folder / "files"))
    finally:
        folder.rmdir()


class Recorder:
    """What `folder.py` sees as `os`: notes what comes to the disk, in order."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []
        self.paths: dict[int, str] = {}

    def __getattr__(self, name: str) -> Any:
        function = getattr(os, name)

        def call(*args: Any) -> Any:
            result = function(*args)
            if name == "open":
                self.paths[result] = Path(args[0]).name
            elif name in ("write", "fsync"):
                self.done.append((name, self.paths[args[0]]))
            elif name in ("mkdir", "rename"):
                self.done.append((name, Path(args[-1] if name == "rename" else args[0]).name))
            return result

        return call if name in ("open", "write", "fsync", "mkdir", "rename") else function


async def test_bytes_and_names_come_to_the_disk_before_a_row_does(
    files: Files, root: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, naming = Recorder(), files._blobs.naming

    def marked(blob: Blob) -> Any:
        seen.done.append(("row", blob.id.hex))
        return naming(blob)

    monkeypatch.setattr(folder_module, "os", seen)
    monkeypatch.setattr(files._blobs, "naming", marked)
    await create(files)
    (blob,) = on_disk(root)
    part, temporary = blob.hex[-2:], next(name for action, name in seen.done if action == "write")
    assert seen.done == [
        ("mkdir", PRINCE.hex),
        ("fsync", root.name),
        ("mkdir", part),
        ("fsync", PRINCE.hex),
        ("write", temporary),
        ("fsync", temporary),
        ("rename", blob.hex),
        ("fsync", part),
        ("row", blob.hex),
    ]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = (
        shutil.which("mount")
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", folder],
            capture_output=True,
            check=False,
        ).returncode
    )
    if not mounted:
        pytest.skip("a file system can be mounted only by root")
    yield folder
    subprocess.run(["umount", folder], check=True)


async def test_a_full_disk_is_reported_and_leaves_no_bytes(
    database: Database, tiny_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    FolderStore.prepare(tiny_disk)
    store = FolderStore(tiny_disk)
    files = Files(database, store)
    await add_app(database, PRINCE)
    made = await create(files, b"x" * 400_000)
    for _ in range(3):
        with pytest.raises(StorageFull):
            await create(files, b"x" * 800_000)
        with pytest.raises(StorageFull):
            await files.update(calling(PRINCE), "notes", made["id"], None, None, None, b"x" * 800_000)
    assert "no space" in caplog.text
    assert on_disk(tiny_disk) == await named(database)
    assert not list((tiny_disk / "incoming").iterdir())
    assert await files.delete(calling(PRINCE), "notes", made["id"])
    await create(files, b"x" * 800_000)
    await files.close()


def test_a_file_above_the_system_limit_is_reported_and_leaves_no_bytes(
    connection_parameters: ConnectionParameters, root: Path
) -> None:
    async def write() -> str:
        database = await Database.open(connection_parameters, 2)
        await add_app(database, PRINCE)
        files = Files(database, FolderStore(root))
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            await create(files, b"x" * 150_000)
        except StorageFull as error:
            return error.code
        return "stored"

    def work(send: Callable[[object], None]) -> None:
        send(asyncio.run(write()))

    with child(work) as started:
        assert started.receive() == "storage_full"
    assert not on_disk(root)
    assert not list((root / "incoming").iterdir())


async def test_readers_do_not_wait_for_a_disk_that_syncs(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, syncing, gate = await create(files), asyncio.Event(), asyncio.Event()
    loop, fsync = asyncio.get_running_loop(), os.fsync

    def slow(descriptor: int) -> None:
        loop.call_soon_threadsafe(syncing.set)
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()
        fsync(descriptor)

    monkeypatch.setattr(folder_module.os, "fsync", slow)
    for number in range(20, 24):
        await add_app(files._database, app_id := uuid4())
        for _ in range(3):
            asyncio.get_running_loop().create_task(create(files, app_id=app_id, name=str(number)))
    await syncing.wait()
    read = await files.get(calling(PRINCE), "notes", made["id"])
    assert read is not None
    assert read["data"] == b"hello"
    gate.set()
    await files._changes.drain()
