"""When keys expire, in the database and in memory alike."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

import ormsgpack
import pytest

from picloud.core.errors import ServiceError
from picloud.db.pool import Database
from picloud.services.call_context import Call
from picloud.services.kv import memory
from picloud.services.kv.memory import MemoryKeyValue
from picloud.services.kv.service import DatabaseKeyValue, KeyValue


@pytest.fixture(params=["database", "memory"])
async def kv(request: pytest.FixtureRequest, database: Database) -> KeyValue:
    return DatabaseKeyValue(database) if request.param == "database" else MemoryKeyValue()


@pytest.fixture
async def call(database: Database) -> Call:
    app = uuid4()
    await database.execute("INSERT INTO apps (id, slug, name) VALUES ($1, 'ttl', 'A')", app)
    return Call(app, uuid4(), uuid4())


async def pass_time(database: Database, monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """Let time pass for what is stored."""
    await database.execute(
        "UPDATE kv_entries SET expires_at = expires_at - make_interval(secs => $1)", seconds
    )
    now = time.monotonic
    monkeypatch.setattr(memory, "time", _Clock(lambda: now() + seconds))


class _Clock:
    def __init__(self, monotonic: Any) -> None:
        self.monotonic = monotonic


async def test_a_counter_expires_when_its_first_increment_said(
    kv: KeyValue, call: Call, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await kv.increment(call, "c", "n", 1, 100) == 1
    assert await kv.increment(call, "c", "n", 1, 1000) == 2
    assert await kv.increment(call, "c", "n", 1, None) == 3
    assert 95 <= (await kv.ttl(call, "c", "n") or 0) <= 100
    await pass_time(database, monkeypatch, 60)
    assert await kv.increment(call, "c", "n", 1, 1000) == 4
    assert 35 <= (await kv.ttl(call, "c", "n") or 0) <= 40
    await pass_time(database, monkeypatch, 120)
    assert await kv.ttl(call, "c", "n") is None
    assert await kv.get(call, "c", "n") is None
    assert await kv.increment(call, "c", "n", 1, 50) == 1
    assert 45 <= (await kv.ttl(call, "c", "n") or 0) <= 50
    await pass_time(database, monkeypatch, 200)
    assert await kv.increment(call, "c", "n", 5, None) == 5
    assert await kv.ttl(call, "c", "n") is None


async def test_a_permanent_counter_stays_permanent(kv: KeyValue, call: Call) -> None:
    assert await kv.increment(call, "c", "n", 1) == 1
    assert await kv.increment(call, "c", "n", 1, 5) == 2
    assert await kv.ttl(call, "c", "n") is None


async def test_an_expired_entry_does_not_exist(
    kv: KeyValue, call: Call, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = ormsgpack.packb("one"), ormsgpack.packb("two")
    for key in ("a", "b"):
        await kv.set(call, "c", key, one, 10)
    await kv.set(call, "c", "stays", one, None)
    assert await kv.set_if(call, "c", "b", one, two)
    assert 5 <= (await kv.ttl(call, "c", "b") or 0) <= 10
    await pass_time(database, monkeypatch, 11)
    assert [await kv.get(call, "c", key) for key in ("a", "b", "stays")] == [None, None, one]
    assert not await kv.has(call, "c", "a")
    assert (await kv.list(call, "c", "", 10))["keys"] == ["stays"]
    assert [key for key, *_ in (await kv.entries(call, "c", "", 10))["entries"]] == ["stays"]  # type: ignore[attr-defined]
    assert not await kv.delete(call, "c", "a")
    assert not await kv.set_if(call, "c", "b", two, one)
    assert await kv.set_if(call, "c", "b", ormsgpack.packb(None), one)
    assert await kv.ttl(call, "c", "b") is None


@pytest.mark.parametrize("seconds", [0, -1, 10**12])
async def test_a_time_that_cannot_be_is_refused(kv: KeyValue, call: Call, seconds: int) -> None:
    with pytest.raises(ServiceError, match="ttl_seconds must be from 1"):
        await kv.increment(call, "c", "n", 1, seconds)
    with pytest.raises(ServiceError, match="key must have"):
        await kv.ttl(call, "c", "")
    assert not await kv.has(call, "c", "n")


async def test_a_page_of_keys_ends_at_the_limits_of_the_script(kv: KeyValue, call: Call) -> None:
    keys = sorted(f"{n:02}" + "k" * 510 for n in range(12))
    for key in keys:
        await kv.set(call, "c", key, ormsgpack.packb(1), None)
    for string_size, array_size, pages in (
        (3000, 10_000, [4, 4, 4]),
        (262_144, 5, [5, 5, 2]),
        (262_144, 10_000, [12]),
        (1, 10_000, [1] * 12),
    ):
        limits = replace(call.limits, max_string_size=string_size, max_array_size=array_size)
        limited = replace(call, limits=limits)
        seen, cursor, sizes = [], "", []
        while cursor is not None:
            page: dict[str, Any] = await kv.list(limited, "c", cursor, 1000)
            seen += page["keys"]
            sizes.append(len(page["keys"]))
            cursor = page["next_cursor"]
        assert (seen, sizes) == (keys, pages)
