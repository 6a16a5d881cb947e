"""Promises of services/quotas.py, of the counting triggers, and of the compacting job."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import ormsgpack
import pytest

from picloud.core.errors import ServiceError
from picloud.db.migrate import migrate, migrations_folder
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database
from picloud.services import quotas as quotas_service
from picloud.services.call_context import Call
from picloud.services.docs.service import DatabaseDocs
from picloud.services.files.folder import FolderStore
from picloud.services.files.service import Files
from picloud.services.kv.service import DatabaseKeyValue
from picloud.services.quotas import Amount, Quotas, QuotaUsedUp, Store
from picloud.services.writes import Writes
from tests.integration.jobs import run_job

APPS = (UUID(int=1), UUID(int=2))
TRUTH = """
SELECT 'kv' AS store, app_id, count(*) AS rows, sum(octet_length(key) + octet_length(value))::bigint AS bytes
FROM kv_entries GROUP BY app_id
UNION ALL SELECT 'docs', app_id, count(*), sum(octet_length(data::text))::bigint FROM docs GROUP BY app_id
UNION ALL SELECT 'files', app_id, count(*), sum(size + octet_length(metadata::text))::bigint
FROM files GROUP BY app_id
UNION ALL SELECT 'scripts', app_id, count(*), sum(octet_length(source))::bigint FROM script_versions
GROUP BY app_id
"""
NOTHING = dict.fromkeys(quotas_service.STORES, (0, 0))


def call_of(app_id: UUID) -> Call:
    return Call(app_id, uuid4(), uuid4())


def packed(value: object) -> bytes:
    return ormsgpack.packb(value)


class Stores:
    """The three stores of two apps under the same quotas."""

    def __init__(self, database: Database, folder: Path, limits: Mapping[Store, Amount]) -> None:
        self.database = database
        self.quotas = Quotas(database, limits)
        writes = Writes(database, self.quotas)
        self.kv = DatabaseKeyValue(database, writes)
        self.docs = DatabaseDocs(database, writes)
        self.files = Files(database, FolderStore(folder), writes)

    async def usage(self, app_id: UUID) -> dict[str, tuple[int, int]]:
        return {one.store: (one.rows, one.bytes) for one in await self.quotas.usage(app_id)}

    async def truth(self, app_id: UUID) -> dict[str, tuple[int, int]]:
        rows = await self.database.fetch(TRUTH)
        found = {row["store"]: (row["rows"], row["bytes"]) for row in rows if row["app_id"] == app_id}
        return NOTHING | found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    FolderStore.prepare(tmp_path / "files")
    return tmp_path / "files"


@pytest.fixture
async def stores(
    database: Database, folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stores]:
    """As `request.param` limits them, else without limits; sums are never remembered."""
    monkeypatch.setattr(quotas_service, "FRESH_SECONDS", 0.0)
    for number, app_id in enumerate(APPS):
        await database.execute(
            "INSERT INTO apps (id, slug, name) VALUES ($1, $2, 'A')", app_id, f"app-{number}"
        )
    stores = Stores(database, folder, getattr(request, "param", quotas_service.UNLIMITED))
    yield stores
    await stores.files.close()


def limited(rows: int, size: int) -> Any:
    return pytest.mark.parametrize(
        "stores", [dict.fromkeys(quotas_service.STORES, Amount(rows, size))], indirect=True
    )


async def _do_something(stores: Stores, choice: random.Random) -> None:
    """One random write, to a few keys, documents and files of a random app."""
    call = call_of(choice.choice(APPS))
    key, text = choice.choice("abc"), "ü" * choice.randrange(50)
    kept = await stores.docs.list(call, "c", None, 100)
    documents = [one[7:43] for one, _ in kept["docs"]]  # type: ignore[attr-defined]
    listed = await stores.files.list(call, "c", None, 100)
    files = [one[7:43] for one, _ in listed["files"]]  # type: ignore[attr-defined]
    document, file = choice.choice([*documents, str(uuid4())]), choice.choice([*files, str(uuid4())])
    doing = [
        lambda: stores.kv.set(call, "c", key, packed(text), None),
        lambda: stores.kv.set(call, "c", key, packed(text), 1),
        lambda: stores.kv.increment(call, "n", key, choice.randrange(1000)),
        lambda: stores.kv.set_if(call, "c", key, packed(None), packed(text)),
        lambda: stores.kv.delete(call, "c", key),
        lambda: stores.docs.create(call, "c", f'{{"a": "{text}"}}'),
        lambda: stores.docs.update(call, "c", document, f'{{"b": "{text}"}}'),
        lambda: stores.docs.patch(call, "c", document, f'{{"c": "{text}"}}'),
        lambda: stores.docs.delete(call, "c", document),
        lambda: stores.files.create(call, "c", "f", "text/plain", None, text.encode()),
        lambda: stores.files.update(call, "c", file, None, None, None, text.encode()),
        lambda: stores.files.update(call, "c", file, "g", None, None, None),
        lambda: stores.files.create(call, "c", "f", "text/plain", f'{{"a": "{text}"}}', b"ab"),
        lambda: stores.files.update(call, "c", file, None, None, f'{{"b": "{text}"}}', None),
        lambda: stores.files.update(call, "c", file, None, None, f'{{"c": "{text}"}}', text.encode()),
        lambda: stores.files.delete(call, "c", file),
        lambda: run_job("compact_usage", stores.database),
        lambda: run_job("delete_expired_kv", stores.database),
    ]
    with contextlib.suppress(ServiceError):  # there is no such document or file
        await choice.choice(doing)()  # type: ignore[operator]


async def test_usage_equals_the_stored_data(stores: Stores) -> None:
    choice = random.Random(7)
    for _ in range(12):
        await asyncio.gather(*(_do_something(stores, choice) for _ in range(25)))
        for app_id in APPS:
            assert await stores.usage(app_id) == await stores.truth(app_id)
    assert (await stores.truth(APPS[0]))["kv"][0] > 0
    await run_job("compact_usage", stores.database)
    assert await stores.database.fetchval("SELECT count(*) FROM usage_deltas") == 0
    for app_id in APPS:
        assert await stores.usage(app_id) == await stores.truth(app_id)


async def test_a_rolled_back_write_is_not_counted(stores: Stores) -> None:
    async with stores.database.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            "INSERT INTO kv_entries (app_id, collection, key, value) VALUES ($1, 'c', 'k', 'v')", APPS[0]
        )
        await transaction.rollback()
    assert await stores.usage(APPS[0]) == NOTHING


async def test_concurrent_writes_are_summed_exactly(stores: Stores) -> None:
    for n in range(40):
        await asyncio.gather(
            stores.kv.set(call_of(APPS[n % 2]), "c", f"{n}", packed(n), None),
            *(run_job("compact_usage", stores.database) for _ in range(3)),
        )
    for app_id in APPS:
        assert (await stores.usage(app_id))["kv"][0] == 20


async def test_a_deleted_app_leaves_no_usage(stores: Stores) -> None:
    here, gone = APPS
    for app_id in APPS:
        await stores.kv.set(call_of(app_id), "c", "k", packed(1), None)
    await run_job("compact_usage", stores.database)
    for app_id in APPS:
        await stores.docs.create(call_of(app_id), "c", "{}")
    await stores.database.execute("DELETE FROM apps WHERE id = $1", gone)
    await run_job("compact_usage", stores.database)
    assert await stores.usage(gone) == NOTHING
    for table in ("usage_deltas", "app_usage"):
        assert await stores.database.fetchval(f"SELECT count(*) FROM {table} WHERE app_id = $1", gone) == 0
    assert await stores.usage(here) == await stores.truth(here)


async def test_an_app_that_is_being_deleted_does_not_break_the_adding_up(stores: Stores) -> None:
    here, gone = APPS
    for app_id in APPS:
        await stores.kv.set(call_of(app_id), "c", "k", packed(1), None)
    async with stores.database.transaction() as connection:
        await connection.execute("DELETE FROM apps WHERE id = $1", gone)
        adding = asyncio.create_task(run_job("compact_usage", stores.database))
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        async with asyncio.timeout(20):
            while not await stores.database.fetchval(waiting):  # noqa: ASYNC110  # another's state
                await asyncio.sleep(0.01)
    await adding
    assert await stores.usage(here) == await stores.truth(here)
    assert await stores.database.fetchval("SELECT count(*) FROM app_usage WHERE app_id = $1", gone) == 0


@limited(3, 10_000)
async def test_a_full_quota_of_rows_rejects_only_additions(stores: Stores) -> None:
    call, other = call_of(APPS[0]), call_of(APPS[1])
    for key in "abc":
        await stores.kv.set(call, "c", key, packed(1), None)
    for attempt in (
        lambda: stores.kv.set(call, "other", "d", packed(1), None),
        lambda: stores.kv.increment(call, "c", "d", 1),
        lambda: stores.kv.set_if(call, "c", "d", packed(None), packed(1)),
    ):
        with pytest.raises(QuotaUsedUp, match=r"\b3 entries\b.*\b3\b"):
            await attempt()
    assert not await stores.kv.has(call, "c", "d")
    await stores.kv.set(call, "c", "a", packed("larger"), None)
    assert await stores.kv.increment(call, "c", "b", 4) == 5
    assert await stores.kv.set_if(call, "c", "c", packed(1), packed(2))
    await stores.kv.set(other, "c", "d", packed(1), None)
    assert await stores.kv.delete(call, "c", "a")
    await stores.kv.set(call, "c", "d", packed(1), None)
    assert (await stores.usage(APPS[0]))["kv"][0] == 3


@limited(1000, 100)
async def test_a_full_quota_of_bytes_rejects_only_growth(stores: Stores) -> None:
    call = call_of(APPS[0])
    await stores.kv.set(call, "c", "a", packed("x" * 100), None)  # the one that passes the limit
    with pytest.raises(QuotaUsedUp, match=r"\b100 bytes\b.*\b103\b.*QUOTA_KV_MB"):
        await stores.kv.set(call, "c", "b", packed(1), None)
    with pytest.raises(QuotaUsedUp, match="bytes"):
        await stores.kv.set(call, "c", "a", packed("x" * 101), None)
    await stores.kv.set(call, "c", "a", packed("y" * 100), None)
    await stores.kv.set(call, "c", "a", packed("y" * 20), None)
    await stores.kv.set(call, "c", "b", packed(1), None)


@limited(2, 10_000)
async def test_documents_above_the_quota_are_rejected(
    stores: Stores,
) -> None:
    call = call_of(APPS[0])
    first, _ = [await stores.docs.create(call, "c", '{"n": 1}') for _ in range(2)]
    with pytest.raises(QuotaUsedUp, match="2 documents"):
        await stores.docs.create(call, "other", "{}")
    id_ = first[7:43]
    await stores.docs.update(call, "c", id_, '{"n": 1, "more": "than before"}')
    await stores.docs.patch(call, "c", id_, '{"n": 2}')
    assert await stores.docs.delete(call, "c", id_)
    await stores.docs.create(call, "c", "{}")
    await stores.kv.set(call, "c", "k", packed(1), None)  # another store, another quota


@limited(1000, 30)
async def test_a_document_at_its_quota_grows_no_more(stores: Stores) -> None:
    call = call_of(APPS[0])
    id_ = (await stores.docs.create(call, "c", '{"text": "as long as thirty bytes"}'))[7:43]
    for write in (
        lambda: stores.docs.update(call, "c", id_, '{"text": "longer than these thirty bytes"}'),
        lambda: stores.docs.patch(call, "c", id_, '{"more": 1}'),
    ):
        with pytest.raises(QuotaUsedUp, match="30 bytes"):
            await write()
    await stores.docs.patch(call, "c", id_, '{"text": "short"}')
    await stores.docs.patch(call, "c", id_, '{"more": 1}')


@limited(2, 100)
async def test_a_file_above_the_quota_is_rejected_before_it_is_stored(stores: Stores, folder: Path) -> None:
    call = call_of(APPS[0])
    id_ = (await stores.files.create(call, "c", "f", "text/plain", None, b"x" * 60))[7:43]
    for write in (
        lambda: stores.files.create(call, "c", "g", "text/plain", None, b"x" * 41),
        lambda: stores.files.update(call, "c", id_, None, None, None, b"x" * 101),
    ):
        with pytest.raises(QuotaUsedUp, match=r"\b100 bytes\b.*\b62\b"):
            await write()
    assert len([path for path in folder.glob("*/*/*") if path.is_file()]) == 1
    await stores.files.create(call, "c", "g", "text/plain", None, b"x" * 36)
    with pytest.raises(QuotaUsedUp, match="2 files"):
        await stores.files.create(call, "c", "h", "text/plain", None, b"")
    await stores.files.update(call, "c", id_, "renamed", None, None, None)
    await stores.files.update(call, "c", id_, None, None, None, b"x" * 60)
    assert await stores.files.delete(call, "c", id_)
    await stores.files.create(call, "c", "h", "text/plain", None, b"x" * 60)


@limited(2, 100)
async def test_metadata_of_files_counts(stores: Stores) -> None:
    call, most = call_of(APPS[0]), '{"a":"' + "ü" * 21 + '"}'  # 50 bytes
    id_ = (await stores.files.create(call, "c", "f", "text/plain", most, b"x" * 50))[7:43]
    assert (await stores.usage(APPS[0]))["files"] == (1, 100)
    with pytest.raises(QuotaUsedUp, match="100 bytes"):
        await stores.files.create(call, "c", "g", "text/plain", None, b"")
    more = most.replace("a", "aa")
    for metadata, data in ((more, None), (more, b"x" * 50), (None, b"x" * 51), ('{"b":""}', b"x" * 93)):
        with pytest.raises(QuotaUsedUp, match="100 bytes"):
            await stores.files.update(call, "c", id_, None, None, metadata, data)
    await stores.files.update(call, "c", id_, None, None, most.replace("a", "b"), b"y" * 50)
    await stores.files.update(call, "c", id_, None, None, '{"b":""}', b"x" * 92)
    assert (await stores.usage(APPS[0]))["files"] == (1, 100)
    await stores.files.delete(call, "c", id_)
    await run_job("compact_usage", stores.database)
    assert (await stores.usage(APPS[0]))["files"] == (0, 0)


async def test_metadata_of_files_that_were_there_before_counts(
    empty_database: ConnectionParameters, tmp_path: Path
) -> None:
    for one in sorted(migrations_folder().glob("*.sql"))[:11]:
        (tmp_path / one.name).write_bytes(one.read_bytes())
    await migrate(empty_database, tmp_path)
    database = await Database.open(empty_database, 2)
    await database.execute("INSERT INTO apps (id, slug, name) VALUES ($1, 'app', 'A')", APPS[0])
    for blob in range(3):
        await database.execute(
            "INSERT INTO files (app_id, collection, id, blob, name, content_type, size, sha256, metadata)"
            " VALUES ($1, 'c', $2, $2, 'f', 'a/b', 5, sha256(''), '{\"a\": 1}')",
            APPS[0],
            UUID(int=blob),
        )
    await migrate(empty_database)
    quotas = Quotas(database, quotas_service.UNLIMITED)
    assert [(one.rows, one.bytes) for one in await quotas.usage(APPS[0]) if one.store == "files"] == [(3, 39)]
    await database.execute("DELETE FROM files")
    await run_job("compact_usage", database)
    assert [(one.rows, one.bytes) for one in await quotas.usage(APPS[0]) if one.store == "files"] == [(0, 0)]
    await database.close()


@limited(5, 10_000)
async def test_concurrent_writers_exceed_the_quota_by_their_number_at_most(
    stores: Stores,
) -> None:
    """The pool has 5 connections: so many writes are under way that do not see each other."""
    results = await asyncio.gather(
        *(stores.kv.set(call_of(APPS[0]), "c", f"{n}", packed(n), None) for n in range(60)),
        return_exceptions=True,
    )
    written = [one for one in results if one is None]
    assert all(isinstance(one, QuotaUsedUp) for one in results if one is not None)
    assert 5 <= len(written) <= 5 + 5
    assert (await stores.usage(APPS[0]))["kv"][0] == len(written)


async def test_a_writer_does_not_wait_for_another_of_the_same_app(stores: Stores) -> None:
    async with stores.database.transaction() as connection:
        insert = "INSERT INTO kv_entries (app_id, collection, key, value) VALUES ($1, 'c', 'k', 'v')"
        await connection.execute(insert, APPS[0])
        async with asyncio.timeout(20):
            await stores.kv.set(call_of(APPS[0]), "c", "other", packed(1), None)
            await run_job("compact_usage", stores.database)


async def test_writes_that_wait_for_each_other_leave_connections_for_other_apps(stores: Stores) -> None:
    call, other = call_of(APPS[0]), call_of(APPS[1])
    await stores.kv.set(call, "c", "k", packed(0), None)
    async with stores.database.transaction() as connection:
        await connection.execute("SELECT FROM kv_entries WHERE app_id = $1 FOR UPDATE", APPS[0])
        writes = [asyncio.create_task(stores.kv.increment(call, "c", "k", 1)) for _ in range(20)]
        deletes = [asyncio.create_task(stores.kv.delete(call, "c", "k")) for _ in range(20)]
        async with asyncio.timeout(60):  # the pool has 5 connections, and gives up after 10 seconds
            for _ in range(20):
                await stores.kv.increment(other, "c", "k", 1)
        assert not any(one.done() for one in (*writes, *deletes))
    await asyncio.gather(*writes, *deletes)


async def test_sums_are_read_once_a_second_while_an_app_writes(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas_service, "FRESH_SECONDS", 3600.0)
    reads = 0
    read = stores.quotas._read

    async def counted(*args: Any) -> Any:
        nonlocal reads
        reads += 1
        return await read(*args)

    monkeypatch.setattr(stores.quotas, "_read", counted)
    await asyncio.gather(
        *(stores.kv.set(call_of(APPS[0]), "c", f"{n}", packed(n), None) for n in range(30)),
        *(stores.docs.create(call_of(APPS[0]), "c", "{}") for _ in range(30)),
    )
    assert reads == 1
    await stores.kv.set(call_of(APPS[1]), "c", "k", packed(1), None)
    assert reads == 2


async def test_no_more_apps_are_remembered_than_there_is_room_for(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas_service, "MAX_REMEMBERED_APPS", 3)
    for number in range(10):
        await stores.quotas.usage(UUID(int=number))
    assert list(stores.quotas._known) == [UUID(int=number) for number in (7, 8, 9)]


async def test_entries_that_expired_are_removed_and_no_others(stores: Stores) -> None:
    call = call_of(APPS[0])
    for n in range(5):
        await stores.kv.set(call, "c", f"old-{n}", packed(n), 1)
    await stores.database.execute("UPDATE kv_entries SET expires_at = now() - interval '1 s'")
    await stores.kv.set(call, "c", "lives", packed(1), 3600)
    await stores.kv.set(call, "c", "stays", packed(1), None)
    await stores.kv.set(call, "c", "old-0", packed("again"), 3600)
    assert await run_job("delete_expired_kv", stores.database, batch=2) == 4
    rows = await stores.database.fetch("SELECT key FROM kv_entries ORDER BY key")
    assert [row["key"] for row in rows] == ["lives", "old-0", "stays"]
    assert await stores.usage(APPS[0]) == await stores.truth(APPS[0])


async def test_an_expired_entry_that_someone_writes_is_left_to_them(stores: Stores) -> None:
    call = call_of(APPS[0])
    await stores.kv.set(call, "c", "k", packed(1), 1)
    await stores.database.execute("UPDATE kv_entries SET expires_at = now() - interval '1 s'")
    async with stores.database.transaction() as connection:
        await connection.execute("UPDATE kv_entries SET expires_at = now() + interval '1 h'")
        async with asyncio.timeout(20):
            await run_job("delete_expired_kv", stores.database)
    assert await stores.kv.has(call, "c", "k")
