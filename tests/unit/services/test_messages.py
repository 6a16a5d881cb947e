"""The messages of services, each once.

Outbound calls have their own table (`outbound/test_messages.py`), and so have filters of documents
(`docs/test_sql.py`).
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import cast
from uuid import UUID, uuid4

import asyncpg
import pytest

from picloud.core.errors import Invalid, ServiceError, StorageFull
from picloud.core.interface import Interface
from picloud.core.msgpack import encode
from picloud.core.pagination import position_for_script, read_cursor, unmark_cursor
from picloud.core.validation import check_variable
from picloud.db.pool import Database
from picloud.services.collections import check_collection, check_key
from picloud.services.docs import documents
from picloud.services.files import checks, rows
from picloud.services.files.blobs import Blobs
from picloud.services.files.folder import FolderStore
from picloud.services.files.service import check_data
from picloud.services.files.store import BlobStore, StoreUnusable
from picloud.services.files.sweep import claim
from picloud.services.kv.service import add, check_ttl, check_value, page_start
from picloud.services.kv.value_json import Value, store
from picloud.services.quotas import UNLIMITED, Amount, Quotas, QuotaUsedUp
from picloud.services.unavailable import with_unavailable_stubs

APP = UUID(int=1)
DEEP = '{"a":' + "[" * 200 + "]" * 200 + "}"


def fails(convert: Callable[[], AbstractContextManager[None]], error: Exception) -> Callable[[], object]:
    """A statement that fails in the database."""

    def check() -> None:
        with convert():
            raise error

    return check


def violates(constraint: str) -> asyncpg.CheckViolationError:
    error = asyncpg.CheckViolationError()
    error.constraint_name = constraint
    return error


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: check_collection(""), "collection must have 1 to 128 bytes"),
        (lambda: check_key("a\0"), "key must not contain a NUL character"),
        (lambda: check_value(bytes(1048577)), "value must have at most 1048576 bytes, not 1048577"),
        (lambda: check_value(encode(None)), "value must not be (); delete the key instead"),
        (lambda: check_ttl(0), "ttl_seconds must be from 1 to 315360000"),
        (lambda: page_start("c", None, 0), "limit must be from 1 to 1000"),
        (lambda: page_start("c", "é", 1), "invalid cursor"),
        (lambda: position_for_script(None, 0, 9), "limit must be from 1 to 9"),
        (lambda: position_for_script("?", 1, 9), "invalid cursor"),
        (lambda: add(encode("a"), 1), "the value is not an integer"),
        (lambda: add(encode(2**63 - 1), 1), "the sum exceeds 64 bits"),
        (
            lambda: documents.check_data("c", " " * 1048577),
            "a document can have at most 1048576 bytes as JSON, not 1048577",
        ),
        (
            fails(documents._as_script_error, violates("docs_size_check")),
            "a document can have at most 1048576 bytes as JSON",
        ),
        (fails(documents._as_script_error, violates("docs_data_check")), "a document must be a map"),
        (
            fails(documents._as_script_error, violates("docs_depth_check")),
            "the document is nested deeper than 127 levels",
        ),
        (
            fails(documents._as_script_error, asyncpg.StatementTooComplexError()),
            "the document is nested deeper than 127 levels",
        ),
        (
            fails(documents._as_script_error, asyncpg.UntranslatableCharacterError()),
            "a document must not contain a NUL character",
        ),
        (
            fails(documents._as_script_error, asyncpg.DataError()),
            "the document is not JSON that can be stored",
        ),
        (lambda: checks.check_name(""), "name must have 1 to 255 bytes"),
        (lambda: checks.check_name("a\n"), "name must not contain control characters"),
        (
            lambda: checks.check_content_type("png"),
            "content_type must be a media type such as image/png, of at most 255 characters",
        ),
        (
            lambda: checks.check_metadata(" " * 16385),
            "metadata must have at most 16384 bytes as JSON, not 16385",
        ),
        (lambda: checks.check_metadata(DEEP), "metadata is nested deeper than 127 levels"),
        (fails(rows._as_script_error, violates("x")), "metadata must be a map"),
        (fails(rows._as_script_error, asyncpg.DataError()), "metadata is not JSON that can be stored"),
        (lambda: check_data(bytes(10485761)), "data must have at most 10485760 bytes, not 10485761"),
    ],
)
def test_an_invalid_argument_says_what_is_accepted(check: Callable[[], object], message: str) -> None:
    with pytest.raises(ServiceError) as caught:
        check()
    assert str(caught.value) == message


def quota(added: Amount, after: Amount) -> Callable[[], object]:
    quotas = Quotas(cast("Database", None), {**UNLIMITED, "kv": Amount(3, 100)})
    return lambda: quotas._require(APP, "kv", added, after)


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (
            quota(Amount(1, 0), Amount(4, 0)),
            (
                "the app's quota of 3 entries is exceeded (3 are stored); "
                "delete some, or ask the operator to raise PICLOUD_QUOTA_KV_ROWS"
            ),
        ),
        (
            quota(Amount(0, 2), Amount(0, 105)),
            (
                "the app's quota of 100 bytes is exceeded (103 are stored); "
                "delete some, or ask the operator to raise PICLOUD_QUOTA_KV_MB"
            ),
        ),
    ],
)
def test_an_exceeded_quota_names_its_setting(check: Callable[[], object], message: str) -> None:
    with pytest.raises(QuotaUsedUp) as caught:
        check()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: store(Value()), "exactly one of value, blob and packed is required, and not null"),
        (lambda: store(Value(blob="?")), "blob must be base64"),
        (lambda: store(Value(packed="wQ==")), "not valid MessagePack of one value"),
        (lambda: store(Value(value=2**64)), "an integer can have at most 64 bits"),
        (lambda: read_cursor("?"), "invalid cursor"),
        (lambda: unmark_cursor("a.b", "c"), "invalid cursor: it belongs to another list"),
        (
            lambda: check_variable("a", ""),
            "invalid variable name; use 1 to 64 characters (A to Z, 0 to 9, _), starting with a letter",
        ),
        (lambda: check_variable("A", "x" * 8193), "the value must have at most 8192 bytes, not 8193"),
        (lambda: check_variable("A", "\0"), "the value must not contain a NUL character"),
    ],
)
def test_an_invalid_field_says_what_is_accepted(check: Callable[[], object], message: str) -> None:
    with pytest.raises(Invalid) as caught:
        check()
    assert caught.value.message == message


def closed(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        FolderStore.prepare(folder)


def of_another_user(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: -1)
        FolderStore.prepare(folder)


def a_file(folder: Path) -> None:
    (folder / "files").write_text("")
    FolderStore.prepare(folder / "files")


def below_a_file(folder: Path) -> None:
    (folder / "files").write_text("")
    FolderStore.prepare(folder / "files/x")


class Elsewhere:
    """A store of files that belongs to another instance, or that cannot be read."""

    def __init__(self, error: OSError | None = None) -> None:
        self._error = error

    async def fetchval(self, *_: object) -> str:
        return "this"

    async def owner(self, _name: str) -> str:
        if self._error is not None:
            raise self._error
        return "another"

    async def put(self, *_: object) -> bytes:
        assert self._error is not None
        raise self._error


class Empty(Elsewhere):
    """A store of this instance without the files of its database."""

    async def owner(self, name: str) -> str:
        return name

    async def fetch(self, *_: object) -> list[dict[str, UUID]]:
        return [{"app_id": APP, "id": uuid4()}]

    async def has(self, _blob: object) -> bool:
        return False


def claimed(store_: Elsewhere) -> Callable[[Path], object]:
    return lambda _: asyncio.run(claim(cast("Database", store_), cast("BlobStore", store_)))


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (closed, "the folder of files FOLDER is not writable"),
        (of_another_user, "the folder of files FOLDER belongs to another user"),
        (a_file, "FOLDER/files exists but is not a folder; move it away"),
        (below_a_file, "the folder of files FOLDER/files/x cannot be used: Not a directory"),
        (
            claimed(Elsewhere()),
            "the files in the data folder belong to another instance; check the setting of the database",
        ),
        (claimed(Elsewhere(OSError(5, "broken"))), "the files cannot be read: broken"),
        (
            claimed(Empty()),
            (
                "the folder files in the data folder does not have the files of the database; restore it "
                "from a backup or share it with the other nodes, or delete all files whose bytes are "
                "missing: picloud admin delete-missing-files"
            ),
        ),
    ],
)
def test_a_folder_that_cannot_hold_files_says_why(
    check: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(StoreUnusable) as caught:
        check(tmp_path)
    assert str(caught.value).replace(str(tmp_path), "FOLDER") == message


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        (
            errno.ENOSPC,
            StorageFull,
            "The storage of the server is full; delete data, or ask the operator for space.",
        ),
        (errno.EIO, ServiceError, "the file could not be written"),
    ],
)
async def test_a_file_that_is_not_written_says_why(code: int, kind: type[Exception], message: str) -> None:
    blobs = Blobs(cast("Database", None), cast("BlobStore", Elsewhere(OSError(code, "x"))))
    with pytest.raises(kind) as caught:
        await blobs.put(uuid4(), b"x")
    assert str(caught.value) == message


async def test_a_function_without_a_server_says_what_to_do() -> None:
    functions = with_unavailable_stubs({}, Interface.load())
    with pytest.raises(ServiceError) as caught:
        await functions["docs_get"](None, "collection", "id")
    assert str(caught.value) == "not available without a server; push the script and run it there"
