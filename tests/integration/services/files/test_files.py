"""What scripts can do with files, on a real database and a real folder."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from picloud.core.errors import ServiceError
from picloud.db.pool import Database
from picloud.services.files import folder as folder_module
from picloud.services.files.folder import READERS, FolderStore
from picloud.services.files.service import MAX_DATA, READS_AT_ONCE, WRITES_AT_ONCE, Files
from picloud.services.files.store import Blob
from tests.integration.services.files.conftest import PAUPER, PRINCE, calling, create, named, on_disk

CALL = calling(PRINCE)


async def test_a_file_is_read_as_it_was_stored(files: Files) -> None:
    data = bytes(range(256)) * 5000
    made = await create(
        files, data, name='ü "x"/../y\\z', content_type="image/png", metadata='{"by": "\\u0000é"}'
    )
    assert made["name"] == 'ü "x"/../y\\z'
    assert made["content_type"] == "image/png"
    assert made["size"] == len(data)
    assert made["sha256"] == hashlib.sha256(data).hexdigest()
    assert made["metadata"] == {"by": "\0é"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", made["created_at"])
    assert list(made) == [
        "id",
        "name",
        "content_type",
        "size",
        "sha256",
        "metadata",
        "created_at",
        "updated_at",
    ]
    read = await files.get(CALL, "notes", made["id"])
    assert read is not None
    assert read["data"] == data
    assert json.loads(str(read["file"])) == made
    assert json.loads(await files.head(CALL, "notes", made["id"]) or "") == made


async def test_metadata_is_read_as_it_was_written(files: Files) -> None:
    written = '{"b": 1.0, "a": 1e400, "a": [12345678901234567890123]}'
    entry = await files.create(CALL, "notes", "a", "text/plain", written, b"")
    assert f'"metadata":{written},' in entry


async def test_the_body_of_the_request_becomes_a_file(files: Files) -> None:
    call = calling(PRINCE, body=b"\x89PNG", content_type="image/png")
    made = json.loads(await files.create_from_request(call, "notes", "a", None, None))
    assert (made["content_type"], made["size"]) == ("image/png", 4)
    made = json.loads(await files.create_from_request(call, "notes", "a", "text/plain", '{"a": 1}'))
    assert (made["content_type"], made["metadata"]) == ("text/plain", {"a": 1})


@pytest.mark.parametrize("said", [None, "", "nonsense", "text/plain\r\nSet-Cookie: a", "x/" + "y" * 300])
async def test_a_request_that_says_no_content_type_leaves_octets(files: Files, said: str | None) -> None:
    call = calling(PRINCE, body=b"x", content_type=said)
    made = json.loads(await files.create_from_request(call, "notes", "a", None, None))
    assert made["content_type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"collection": ""}, "collection must have 1 to 128 bytes"),
        ({"collection": "é" * 65}, "collection must have 1 to 128 bytes"),
        ({"collection": "a\0"}, "collection must not contain a NUL character"),
        ({"name": ""}, "name must have 1 to 255 bytes"),
        ({"name": "é" * 128}, "name must have 1 to 255 bytes"),
        ({"name": "a\r\nb"}, "name must not contain control characters"),
        ({"name": "a\0"}, "name must not contain control characters"),
        ({"name": "a\x9f"}, "name must not contain control characters"),
        ({"content_type": "text"}, "content_type must be a media type"),
        ({"content_type": ""}, "content_type must be a media type"),
        ({"content_type": "text/plain\n"}, "content_type must be a media type"),
        ({"content_type": "text/plaín"}, "content_type must be a media type"),
        ({"metadata": "[]"}, "metadata must be a map"),
        ({"metadata": "{"}, "metadata is not JSON that can be stored"),
        ({"metadata": '{"a": "' + "x" * 16384 + '"}'}, "metadata must have at most 16384 bytes as JSON, not"),
        ({"metadata": '{"a":' + "[" * 16000}, "metadata is nested deeper than 127 levels"),
        ({"data": bytes(MAX_DATA + 1)}, f"data must have at most {MAX_DATA} bytes"),
    ],
)
async def test_invalid_input_is_rejected_and_stores_nothing(
    files: Files, root: Path, database: Database, bad: dict[str, Any], message: str
) -> None:
    made = await create(files)
    with pytest.raises(ServiceError, match=re.escape(message)):
        await create(files, **bad)
    collection = bad.pop("collection", None) or "notes"
    if bad:
        names = [bad.get(name) for name in ("name", "content_type", "metadata", "data")]
        with pytest.raises(ServiceError, match=re.escape(message)):
            await files.update(CALL, collection, made["id"], *names)
    assert json.loads(await files.head(CALL, "notes", made["id"]) or "") == made
    assert on_disk(root) == await named(database)
    assert len(on_disk(root)) == 1


async def test_the_largest_file_and_an_empty_one_are_kept(files: Files) -> None:
    for data in (bytes(MAX_DATA), b""):
        made = await create(files, data)
        read = await files.get(CALL, "notes", made["id"])
        assert read is not None
        assert read["data"] == data


async def test_an_update_changes_what_it_names(files: Files, root: Path, database: Database) -> None:
    made = await create(files, metadata='{"a": 1}')
    entry = json.loads(await files.update(CALL, "notes", made["id"], "b.txt", None, None, None))
    assert entry == made | {"name": "b.txt", "updated_at": entry["updated_at"]}
    entry = json.loads(await files.update(CALL, "notes", made["id"], None, "text/html", "{}", b"bye"))
    digest = hashlib.sha256(b"bye").hexdigest()
    changed = {"name": "b.txt", "content_type": "text/html", "metadata": {}, "size": 3, "sha256": digest}
    assert entry == made | changed | {"updated_at": entry["updated_at"]}
    read = await files.get(CALL, "notes", made["id"])
    assert read is not None
    assert read["data"] == b"bye"
    assert on_disk(root) == await named(database)


async def test_an_invalid_id_is_not_found(files: Files) -> None:
    await create(files)
    for id_ in ("", "none", "../../x", str(uuid4()), "{" + str(uuid4())[:-2] + "}"):
        assert await files.head(CALL, "notes", id_) is None
        assert await files.get(CALL, "notes", id_) is None
        assert await files.delete(CALL, "notes", id_) is False
        with pytest.raises(ServiceError, match="no such"):
            await files.update(CALL, "notes", id_, None, None, None, b"x")


async def test_a_deleted_file_has_no_bytes(files: Files, root: Path) -> None:
    made = await create(files)
    assert await files.delete(CALL, "notes", made["id"]) is True
    assert await files.delete(CALL, "notes", made["id"]) is False
    assert await files.get(CALL, "notes", made["id"]) is None
    assert not on_disk(root)


async def test_another_app_finds_nothing_by_the_same_id(files: Files) -> None:
    made = await create(files)
    theirs = calling(PAUPER)
    assert await files.head(theirs, "notes", made["id"]) is None
    assert await files.get(theirs, "notes", made["id"]) is None
    assert await files.delete(theirs, "notes", made["id"]) is False
    assert await files.list(theirs, "notes", None, 10) == {"files": [], "more": False}
    with pytest.raises(ServiceError, match="no such"):
        await files.update(theirs, "notes", made["id"], "b", None, None, None)
    assert await files.find(PAUPER, "notes", made["id"]) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"hellO"),
        lambda path: path.write_bytes(b"hell"),
        lambda path: path.write_bytes(b"hello!"),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
    ],
)
async def test_damaged_bytes_are_never_given_out(
    files: Files, root: Path, caplog: pytest.LogCaptureFixture, damage: Any
) -> None:
    made = await create(files)
    damage(next(root.glob("*/*/*")))
    with caplog.at_level(logging.ERROR), pytest.raises(ServiceError, match=r"^corrupted$"):
        await files.get(CALL, "notes", made["id"])
    assert made["id"] in caplog.text
    assert str(PRINCE) in caplog.text
    file = await files.find(PRINCE, "notes", made["id"])
    assert file is not None
    with pytest.raises(ServiceError, match=r"^corrupted$"):
        await files.open(file)


async def test_a_list_goes_through_all_files_in_order(files: Files) -> None:
    made = [await create(files, name=str(number)) for number in range(7)]
    await create(files, collection="other")
    found: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await files.list(CALL, "notes", cursor, 3)
        listed: list[tuple[str, str]] = page["files"]  # type: ignore[assignment]
        found += [json.loads(entry) for entry, _ in listed]
        cursor = listed[-1][1] if page["more"] else None
    assert found == made


async def test_a_list_is_complete_and_without_duplicates_while_others_write(files: Files) -> None:
    made = [(await create(files))["id"] for _ in range(30)]
    keep, stop = set(made[::2]), asyncio.Event()

    async def write() -> None:
        victims = made[1::2]
        while not stop.is_set():
            await create(files)
            if victims:
                await files.delete(CALL, "notes", victims.pop())
            await files.update(CALL, "notes", made[0], None, None, None, b"again")

    writing = asyncio.create_task(write())
    for _ in range(5):
        seen: list[str] = []
        cursor: Any = None
        while cursor is not None or not seen:
            page = await files.list(CALL, "notes", cursor, 4)
            listed: list[tuple[str, str]] = page["files"]  # type: ignore[assignment]
            seen += [json.loads(entry)["id"] for entry, _ in listed]
            cursor = listed[-1][1] if page["more"] else None
        assert len(seen) == len(set(seen))
        assert keep <= set(seen)
    stop.set()
    await writing


@pytest.mark.parametrize(("cursor", "limit"), [("x", 10), ("é", 10), (None, 0), (None, 1001), (None, -1)])
async def test_a_list_rejects_invalid_cursors_and_limits(
    files: Files, cursor: str | None, limit: int
) -> None:
    with pytest.raises(ServiceError, match=r"cursor|limit"):
        await files.list(CALL, "notes", cursor, limit)


async def test_readers_see_one_version_or_the_other_while_a_file_is_replaced(files: Files) -> None:
    versions = [bytes([digit]) * 10_000 for digit in range(5)]
    made = await create(files, versions[0])
    stop = asyncio.Event()

    async def replace() -> None:
        while not stop.is_set():
            for version in versions:
                await files.update(CALL, "notes", made["id"], None, None, None, version)

    replacing = asyncio.create_task(replace())
    for _ in range(100):
        read = await files.get(CALL, "notes", made["id"])
        assert read is not None
        assert json.loads(str(read["file"]))["sha256"] == hashlib.sha256(read["data"]).hexdigest()  # type: ignore[arg-type]
        assert read["data"] in versions
    stop.set()
    await replacing


async def test_an_open_file_stays_readable_after_its_deletion(files: Files, root: Path) -> None:
    made = await create(files, b"x" * 3_000_000)
    file = await files.find(PRINCE, "notes", made["id"])
    assert file is not None
    opened = await files.open(file)
    assert opened is not None
    await files.delete(CALL, "notes", made["id"])
    assert not on_disk(root)
    assert await opened[1].read(0, 3_000_000) == b"x" * 3_000_000
    assert await opened[1].read(2_999_999, 10) == b"x"
    opened[1].close()
    assert await files.open(file) is None


async def test_concurrent_updates_leave_the_bytes_of_one(
    files: Files, root: Path, database: Database
) -> None:
    made = await create(files)
    await asyncio.gather(
        *(files.update(CALL, "notes", made["id"], None, None, None, bytes([digit])) for digit in range(20)),
        *(files.update(CALL, "notes", made["id"], "b", None, None, None) for _ in range(5)),
    )
    assert on_disk(root) == await named(database)
    assert len(on_disk(root)) == 1


async def test_a_write_whose_caller_is_cut_off_ends_with_a_row_or_without_bytes(
    files: Files, root: Path, database: Database
) -> None:
    made = await create(files)
    for turns in range(40):
        writing = [
            asyncio.create_task(create(files, b"new")),
            asyncio.create_task(files.update(CALL, "notes", made["id"], None, None, None, b"newer")),
        ]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in writing:
            task.cancel()
        await asyncio.wait(writing)
    await files._changes.drain()
    assert on_disk(root) == await named(database)


async def test_concurrent_operations_are_limited_per_app(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy, most, admission = 0, 0, asyncio.Event()
    put = FolderStore.put

    async def slow(self: FolderStore, blob: Blob, data: bytes) -> bytes:
        nonlocal busy, most
        if blob.app_id == PRINCE:
            busy += 1
            most = max(most, busy)
            await admission.wait()
            busy -= 1
        return await put(self, blob, data)

    monkeypatch.setattr(FolderStore, "put", slow)
    flood = [asyncio.create_task(create(files)) for _ in range(3 * WRITES_AT_ONCE)]
    await create(files, app_id=PAUPER)  # is not held up
    admission.set()
    await asyncio.gather(*flood)
    assert most == WRITES_AT_ONCE


async def test_an_app_that_reads_much_leaves_threads_for_others(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = await create(files, b"long"), await create(files, b"", app_id=PAUPER)
    reading, admission, pieces = 0, threading.Event(), folder_module._Descriptor.pieces

    def slow(self: Any, offset: int, length: int) -> Any:
        nonlocal reading
        if length == 4:
            reading += 1
            admission.wait()
        return pieces(self, offset, length)

    monkeypatch.setattr(folder_module._Descriptor, "pieces", slow)
    flood = [asyncio.create_task(files.get(CALL, "notes", mine["id"])) for _ in range(2 * READERS)]
    try:
        async with asyncio.timeout(60):
            while reading < READS_AT_ONCE:  # noqa: ASYNC110  # threads announce nothing here
                await asyncio.sleep(0.001)
            assert await files.get(calling(PAUPER), "notes", theirs["id"]) is not None
    finally:
        admission.set()
    assert all(await asyncio.gather(*flood))


async def test_an_error_of_the_disk_is_reported_and_leaves_no_bytes(
    files: Files, root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(folder_module.os, "fsync", broken)
        with pytest.raises(ServiceError, match=r"^[a-z ]*written$"):
            await create(files)
    assert "written" in caplog.text
    assert not on_disk(root)
    assert not list((root / "incoming").iterdir())
    made = await create(files)
    with monkeypatch.context() as patch:
        patch.setattr(folder_module.os, "pread", broken)
        with pytest.raises(ServiceError, match=r"^[a-z ]*read$"):
            await files.get(CALL, "notes", made["id"])


async def test_a_write_into_an_app_that_was_deleted_leaves_no_bytes(
    files: Files, root: Path, database: Database
) -> None:
    await create(files)
    await database.execute("DELETE FROM apps WHERE id = $1", PRINCE)
    await files.remove_app(PRINCE)
    assert not on_disk(root)
    with pytest.raises(ServiceError, match="deleted"):
        await create(files)
    assert not on_disk(root)
