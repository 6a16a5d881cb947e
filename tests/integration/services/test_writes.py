"""Promises of services/writes.py: every write to a store tells its triggers, in its own transaction."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import ormsgpack
import pytest

from picloud.core.errors import NotFound, PicloudError, ServiceError
from picloud.core.interface import NIL
from picloud.db.pool import Connection, Database
from picloud.identity.actor import Actor
from picloud.identity.principal import Principal
from picloud.outbox.event import Event, Origin
from picloud.outbox.matching import TriggerTable
from picloud.outbox.write import Outbox
from picloud.services import quotas as quotas_service
from picloud.services.call_context import Call
from picloud.services.docs.admin import DocsAdmin
from picloud.services.docs.service import DatabaseDocs, searches
from picloud.services.files.admin import FilesAdmin
from picloud.services.files.folder import FolderStore
from picloud.services.files.service import Files
from picloud.services.kv.admin import KvAdmin
from picloud.services.kv.service import DatabaseKeyValue
from picloud.services.kv.value_json import Value
from picloud.services.quotas import STORES, Amount, Quotas, QuotaUsedUp
from picloud.services.writes import Writes

APP = UUID(int=1)
ADA = Principal(UUID(int=7), "ada", "owner")
ACTOR = Actor(ADA, "ada", "", "", "test.write")
CALL = Call(APP, uuid4(), uuid4(), ADA, b"sent", "text/plain")
ALL: Any = {"kv": ("*",), "docs": ("*",), "files": ("*",)}


def packed(value: object) -> bytes:
    return ormsgpack.packb(value)


class Recording:
    """A listener that writes a row for each event, as the outbox will."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.broken = False

    async def record(self, connection: Connection, events: Sequence[Event]) -> None:
        assert events
        for event in events:
            await connection.execute("INSERT INTO recorded (op, key) VALUES ($1, $2)", event.op, event.key)
        self.events += events
        if self.broken:
            raise RuntimeError("the listener is broken")

    def take(self) -> list[tuple[str, str, Any, Any]]:
        """What came since the last time: op, key, new and old."""
        taken = [(one.op, one.key, _readable(one.new), _readable(one.old)) for one in self.events]
        self.events.clear()
        return taken


def _readable(value: bytes | str | None) -> Any:
    if value is None:
        return None
    return ormsgpack.unpackb(value) if isinstance(value, bytes) else json.loads(value)


@dataclass
class Stores:
    """The stores of one app, as scripts and users reach them."""

    database: Database
    folder: Path
    quotas: Quotas
    table: TriggerTable = field(default_factory=TriggerTable)
    listener: Recording = field(default_factory=Recording)

    def __post_init__(self) -> None:
        database, turns = self.database, searches(self.database)
        self.writes = Writes(database, self.quotas, Outbox(self.table, [self.listener]))
        self.table.replace(APP, ALL)
        self.kv, self.kv_admin = (
            DatabaseKeyValue(database, self.writes),
            KvAdmin(database, self.writes, turns),
        )
        self.docs = DatabaseDocs(database, self.writes)
        self.docs_admin = DocsAdmin(database, self.writes, turns)
        self.files = Files(database, FolderStore(self.folder), self.writes)
        self.files_admin = FilesAdmin(database, self.files, turns)

    async def recorded(self) -> int:
        """Rows of the listener that are committed."""
        return int(await self.database.fetchval("SELECT count(*) FROM recorded"))

    async def stored(self) -> list[tuple[Any, ...]]:
        """Everything the app stores, and its audit log."""
        rows = await self.database.fetch(
            "SELECT 'kv', key, value::text FROM kv_entries"
            " UNION ALL SELECT 'docs', id::text, data::text FROM docs"
            " UNION ALL SELECT 'files', id::text, files_entry(files) FROM files"
            " UNION ALL SELECT 'audit', id::text, '' FROM audit_log ORDER BY 1, 2"
        )
        return [tuple(row) for row in rows]

    async def blobs(self) -> int:
        return sum(path.is_file() for path in self.folder.glob("*/*/*"))


@pytest.fixture
async def stores(
    database: Database, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stores]:
    """With `request.param` as quota of every store, else without one; sums are never remembered."""
    monkeypatch.setattr(quotas_service, "FRESH_SECONDS", 0.0)
    await database.execute("INSERT INTO apps (id, slug, name) VALUES ($1, 'app', 'A')", APP)
    await database.execute("CREATE TABLE recorded (op text, key text)")
    limit = getattr(request, "param", None)
    limits = quotas_service.UNLIMITED if limit is None else dict.fromkeys(STORES, limit)
    FolderStore.prepare(tmp_path / "files")
    stores = Stores(database, tmp_path / "files", Quotas(database, limits))
    yield stores
    await stores.files.close()


async def expire(stores: Stores) -> None:
    await stores.database.execute("UPDATE kv_entries SET expires_at = now() - interval '1 s'")


async def test_every_way_a_script_writes_kv_has_its_event(stores: Stores) -> None:
    kv, take = stores.kv, stores.listener.take
    await kv.set(CALL, "c", "k", packed(1), None)
    await kv.set(CALL, "c", "k", packed(2), 60)
    await kv.increment(CALL, "c", "k", 3)
    await kv.increment(CALL, "c", "n", 1)
    assert await kv.set_if(CALL, "c", "k", packed(5), packed("x"))
    assert await kv.set_if(CALL, "c", "new", NIL, packed(b"\0"))
    assert await kv.delete(CALL, "c", "k")
    assert take() == [
        ("insert", "k", 1, None),
        ("update", "k", 2, 1),
        ("update", "k", 5, 2),
        ("insert", "n", 1, None),
        ("update", "k", "x", 5),
        ("insert", "new", b"\0", None),
        ("delete", "k", None, "x"),
    ]
    assert await stores.recorded() == 7


async def test_every_way_a_user_writes_kv_has_its_event(stores: Stores) -> None:
    admin = stores.kv_admin
    await admin.put(APP, "c", "k", Value(value=1), None, actor=ACTOR)
    await admin.put(APP, "c", "k", Value(value=[2]), 60, actor=ACTOR)
    await admin.delete(APP, "c", "k", actor=ACTOR)
    assert stores.listener.take() == [
        ("insert", "k", 1, None),
        ("update", "k", [2], 1),
        ("delete", "k", None, [2]),
    ]
    assert await stores.recorded() == 3


async def test_the_expiry_of_a_key_is_an_event_before_the_write_that_replaces_it(stores: Stores) -> None:
    kv, events = stores.kv, stores.listener.events
    for write in (
        lambda: kv.set(CALL, "c", "k", packed(2), 1),
        lambda: kv.increment(CALL, "c", "k", 2),
        lambda: kv.set_if(CALL, "c", "k", NIL, packed(2), 1),
        lambda: stores.kv_admin.put(APP, "c", "k", Value(value=2), 1, actor=ACTOR),
    ):
        await kv.set(CALL, "c", "k", packed(1), 1)
        await expire(stores)
        events.clear()
        await write()
        assert [one.expired for one in events] == [True, False]
        assert stores.listener.take() == [("delete", "k", None, 1), ("insert", "k", 2, None)]
        await kv.delete(CALL, "c", "k")
    await kv.set(CALL, "c", "k", packed(1), 1)
    await expire(stores)
    events.clear()
    assert not await kv.delete(CALL, "c", "k")
    assert [one.expired for one in events] == [True]


async def test_every_way_a_script_writes_docs_has_its_event(stores: Stores) -> None:
    docs = stores.docs
    id_ = json.loads(await docs.create(CALL, "c", '{"n": 1}'))["id"]
    await docs.update(CALL, "c", id_, '{"n": 2, "m": 1}')
    await docs.patch(CALL, "c", id_, '{"n": null}')
    assert await docs.delete(CALL, "c", id_)
    assert stores.listener.take() == [
        ("create", id_, {"n": 1}, None),
        ("update", id_, {"n": 2, "m": 1}, {"n": 1}),
        ("update", id_, {"m": 1}, {"n": 2, "m": 1}),
        ("delete", id_, None, {"m": 1}),
    ]
    assert await stores.recorded() == 4


async def test_every_way_a_user_writes_docs_has_its_event(stores: Stores) -> None:
    admin = stores.docs_admin
    id_ = str((await admin.create(APP, "c", {"n": 1}, actor=ACTOR)).id)
    await admin.update(APP, "c", id_, {"n": 2, "m": 1}, merge=False, actor=ACTOR)
    await admin.update(APP, "c", id_, {"n": None}, merge=True, actor=ACTOR)
    await admin.delete(APP, "c", id_, actor=ACTOR)
    assert stores.listener.take() == [
        ("create", id_, {"n": 1}, None),
        ("update", id_, {"n": 2, "m": 1}, {"n": 1}),
        ("update", id_, {"m": 1}, {"n": 2, "m": 1}),
        ("delete", id_, None, {"m": 1}),
    ]
    assert await stores.recorded() == 4


async def test_every_way_files_are_written_has_its_event(stores: Stores) -> None:
    files = stores.files
    created = json.loads(await files.create(CALL, "c", "f", "text/plain", '{"a": 1}', b"1"))
    id_ = created["id"]
    changes = (("g", None, None, None), (None, None, None, b"22"), (None, "a/b", '{"b": 1}', b"333"))
    changed = [json.loads(await files.update(CALL, "c", id_, *change)) for change in changes]
    entries = [created, *changed]
    assert await files.delete(CALL, "c", id_)
    sent = json.loads(await files.create_from_request(CALL, "c", "sent", None, None))
    await stores.files_admin.delete(APP, "c", sent["id"], actor=ACTOR)
    assert stores.listener.take() == [
        ("create", id_, entries[0], None),
        ("update", id_, entries[1], entries[0]),
        ("update", id_, entries[2], entries[1]),
        ("update", id_, entries[3], entries[2]),
        ("delete", id_, None, entries[3]),
        ("create", sent["id"], sent, None),
        ("delete", sent["id"], None, sent),
    ]
    assert [one["size"] for one in entries] == [1, 1, 2, 3]
    assert await stores.recorded() == 7
    assert await stores.blobs() == 0


async def test_an_event_says_where_it_happened_and_who_caused_it(stores: Stores) -> None:
    await stores.kv.set(CALL, "c", "k", packed(1), None)
    await stores.docs_admin.create(APP, "d", {}, actor=ACTOR)
    by_script, by_user = stores.listener.events
    assert (by_script.app_id, by_script.source, by_script.collection) == (APP, "kv", "c")
    assert by_script.origin == Origin(ADA, CALL.execution_id)
    assert (by_user.app_id, by_user.source, by_user.collection) == (APP, "docs", "d")
    assert by_user.origin == Origin(ADA, None)


async def test_a_write_without_change_emits_no_event(stores: Stores) -> None:
    await stores.kv.set(CALL, "c", "k", packed(1), None)
    stored, absent = await stores.stored(), str(uuid4())
    stores.listener.take()
    assert not await stores.kv.delete(CALL, "c", "absent")
    assert not await stores.kv.set_if(CALL, "c", "k", packed(2), packed(3))
    assert not await stores.kv.set_if(CALL, "c", "absent", packed(2), packed(3))
    assert not await stores.docs.delete(CALL, "c", absent)
    assert not await stores.files.delete(CALL, "c", absent)
    for attempt in (
        lambda: stores.kv_admin.delete(APP, "c", "absent", actor=ACTOR),
        lambda: stores.docs.update(CALL, "c", absent, "{}"),
        lambda: stores.docs.patch(CALL, "c", absent, "{}"),
        lambda: stores.docs_admin.update(APP, "c", absent, {}, merge=True, actor=ACTOR),
        lambda: stores.docs_admin.delete(APP, "c", absent, actor=ACTOR),
        lambda: stores.files.update(CALL, "c", absent, "name", None, None, None),
        lambda: stores.files_admin.delete(APP, "c", absent, actor=ACTOR),
    ):
        with pytest.raises((ServiceError, NotFound)):
            await attempt()
    assert stores.listener.take() == []
    assert await stores.stored() == stored


async def writes_of(stores: Stores) -> list[Any]:
    """Writes of every kind to a key, a document and a file that are there."""
    await stores.kv.set(CALL, "c", "k", packed(1), None)
    document = json.loads(await stores.docs.create(CALL, "c", '{"n": 1}'))["id"]
    file = json.loads(await stores.files.create(CALL, "c", "f", "text/plain", None, b"1"))["id"]
    kv, docs, files = stores.kv, stores.docs, stores.files
    return [
        lambda: kv.set(CALL, "c", "new", packed(1), None),
        lambda: kv.set(CALL, "c", "k", packed("larger"), None),
        lambda: kv.increment(CALL, "c", "k", 1000),
        lambda: kv.set_if(CALL, "c", "k", packed(1), packed("larger")),
        lambda: stores.kv_admin.put(APP, "c", "k", Value(value="larger"), None, actor=ACTOR),
        lambda: docs.create(CALL, "c", "{}"),
        lambda: docs.update(CALL, "c", document, '{"n": "larger"}'),
        lambda: docs.patch(CALL, "c", document, '{"m": 1}'),
        lambda: stores.docs_admin.create(APP, "c", {}, actor=ACTOR),
        lambda: stores.docs_admin.update(APP, "c", document, {"m": 1}, merge=True, actor=ACTOR),
        lambda: files.create(CALL, "c", "g", "text/plain", None, b"1"),
        lambda: files.update(CALL, "c", file, None, None, None, b"22"),
        lambda: files.update(CALL, "c", file, None, None, '{"b": 1}', None),
        # From here on they only remove.
        lambda: kv.delete(CALL, "c", "k"),
        lambda: stores.kv_admin.delete(APP, "c", "k", actor=ACTOR),
        lambda: docs.delete(CALL, "c", document),
        lambda: stores.docs_admin.delete(APP, "c", document, actor=ACTOR),
        lambda: files.delete(CALL, "c", file),
        lambda: stores.files_admin.delete(APP, "c", file, actor=ACTOR),
    ]


async def test_a_listener_that_fails_undoes_the_write(stores: Stores) -> None:
    writes = await writes_of(stores)
    stored, recorded, stores.listener.broken = await stores.stored(), await stores.recorded(), True
    for number, write in enumerate(writes):
        with pytest.raises(RuntimeError, match="listener is broken"):
            await write()
        assert await stores.stored() == stored, number
    assert await stores.recorded() == recorded
    stores.listener.broken = False
    for write in writes[-6::2]:
        await write()
    assert await stores.recorded() == recorded + 3


@pytest.mark.parametrize("stores", [Amount(1, 2**20)], indirect=True)
async def test_an_exceeded_quota_rolls_back_the_write_and_its_events(stores: Stores) -> None:
    writes = await writes_of(stores)
    stored, recorded = await stores.stored(), await stores.recorded()
    for write in (writes[0], writes[5], writes[8], writes[10]):
        with pytest.raises((QuotaUsedUp, PicloudError), match=r"\b1\b"):
            await write()
    assert await stores.stored() == stored
    assert await stores.recorded() == recorded
    assert await stores.blobs() == 1
    await stores.kv.set(CALL, "c", "k", packed("larger"), None)
    assert await stores.recorded() == recorded + 1


async def test_data_and_event_are_visible_to_others_at_once(stores: Stores) -> None:
    seen: list[tuple[Any, Any]] = []
    record = stores.listener.record

    async def look(connection: Connection, events: Sequence[Event]) -> None:
        await record(connection, events)
        seen.append(
            (await stores.database.fetchval("SELECT count(*) FROM kv_entries"), await stores.recorded())
        )

    stores.listener.record = look  # type: ignore[method-assign]
    await stores.kv.set(CALL, "c", "k", packed(1), None)
    assert seen == [(0, 0)]
    assert await stores.recorded() == 1


async def test_only_collections_with_a_listener_have_events(stores: Stores) -> None:
    stores.table.replace(APP, {"kv": ("users:*",)})
    await stores.kv.set(CALL, "users:1", "k", packed(1), None)
    await stores.kv.set(CALL, "others", "k", packed(2), None)
    await stores.docs.create(CALL, "users:1", "{}")
    assert stores.listener.take() == [("insert", "k", 1, None)]


async def test_a_script_write_without_a_listener_opens_no_transaction(stores: Stores) -> None:
    stores.table.replace(APP, {})
    begun: list[str] = []
    async with stores.database.acquire() as connection:
        pool = type(connection._con)  # type: ignore[attr-defined]
    original = pool.transaction

    def counted(self: Any, **options: Any) -> Any:
        begun.append("BEGIN")
        return original(self, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "transaction", counted)
        await stores.kv.set(CALL, "c", "k", packed(1), None)
        await stores.kv.delete(CALL, "c", "k")
        id_ = json.loads(await stores.docs.create(CALL, "c", "{}"))["id"]
        await stores.docs.update(CALL, "c", id_, '{"n": 1}')
        await stores.docs.patch(CALL, "c", id_, '{"n": 2}')
        await stores.docs.delete(CALL, "c", id_)
        assert begun == []
        await stores.kv.increment(CALL, "c", "n", 1)
        assert begun == ["BEGIN"]


async def test_old_values_are_those_of_the_write_before_also_when_many_write_at_once(stores: Stores) -> None:
    await asyncio.gather(
        *(stores.kv.set(CALL, "c", "k", packed(number), None) for number in range(20)),
        *(stores.kv.increment(CALL, "c", "n", 1) for _ in range(20)),
    )
    events = stores.listener.take()
    for key in ("k", "n"):
        olds = [old for _, name, _, old in events if name == key]
        news = [new for _, name, new, _ in events if name == key]
        assert len(news) == 20
        assert olds.count(None) == 1
        last = set(news) - set(olds)
        assert sorted([*last, *(old for old in olds if old is not None)]) == sorted(news)
    assert [op for op, *_ in events].count("insert") == 2


async def test_a_write_that_waited_for_the_first_of_its_key_is_an_update(stores: Stores) -> None:
    insert = "INSERT INTO kv_entries (app_id, collection, key, value) VALUES ($1, 'c', $2, $3)"
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    async with stores.database.transaction() as connection:
        for key in ("k", "n"):
            await connection.execute(insert, APP, key, packed(1))
        writes = [
            asyncio.create_task(stores.kv.set(CALL, "c", "k", packed(2), None)),
            asyncio.create_task(stores.kv.increment(CALL, "c", "n", 1)),
        ]
        async with asyncio.timeout(20):
            while await stores.database.fetchval(waiting) < 2:  # noqa: ASYNC110  # another's state
                await asyncio.sleep(0.01)
    await asyncio.gather(*writes)
    assert sorted(stores.listener.take()) == [("update", "k", 2, 1), ("update", "n", 2, 1)]
