"""kv as scripts see it: exact, atomic, of one app only, on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from picloud.db.pool import Database
from picloud.execution.admission import Admission
from picloud.execution.executor import Executor
from picloud.execution.invocation import ScriptVersion
from picloud.sandbox.cache import ImageCache
from picloud.sandbox.engine import Engine
from picloud.sandbox.outcome import Outcome
from picloud.sandbox.sandbox import Sandbox
from picloud.sandbox.threads import Threads
from picloud.services.kv import service as kv
from tests.workbench import in_memory, invocation, script, value

C = 'let c = kv::collection("c"); '


@pytest.fixture
async def executor(engine: Engine, database: Database) -> AsyncIterator[Executor]:
    threads = Threads(2)
    functions = in_memory() | kv.host_functions(kv.DatabaseKeyValue(database))
    yield Executor(Admission(32, 32), Sandbox(engine, ImageCache(64, 16), threads, functions), None)
    threads.close()


async def make_app(database: Database) -> UUID:
    app = UUID(int=uuid7().int)
    await database.execute("INSERT INTO apps (id, slug, name) VALUES ($1, $2, 'A')", app, f"a{app.hex[-20:]}")
    return app


@pytest.fixture
async def app(database: Database) -> UUID:
    return await make_app(database)


async def run(executor: Executor, app: UUID, source: str | ScriptVersion, **limits: int) -> Outcome:
    version = script(source, app=app, **limits) if isinstance(source, str) else source
    return await executor.execute(invocation(version))


async def test_every_value_is_read_back_unchanged(executor: Executor, app: UUID) -> None:
    source = (
        C
        + """
      let values = [1, -9223372036854775807, 1.5, 1.0, true, "", "a\\x00b", "🎈", [1, [2]], #{ a: #{ b: 1 } },
                    blob(3, 7), 'x', [()]];
      let wrong = [];
      for (v, i) in values {
        c.set("k", v);
        let back = c.get("k");
        if type_of(v) == "char" { v = v.to_string(); }
        if type_of(back) != type_of(v) || back != v { wrong.push(i); }
      }
      #{ wrong: wrong, host: type_of(c.get("1.0")) }"""
    )
    assert value(await run(executor, app, source)) == {"wrong": [], "host": "()"}


async def test_concurrent_increments_all_count(executor: Executor, app: UUID) -> None:
    version = script(C + 'for i in 0..10 { c.increment("n", 3); } 1', app=app)
    await asyncio.gather(*(run(executor, app, version) for _ in range(20)))
    assert value(await run(executor, app, C + 'c.get("n")')) == 600


async def test_of_many_that_compare_and_set_one_wins(executor: Executor, app: UUID) -> None:
    absent = script(C + 'c.set_if("k", (), 1)', app=app)
    assert [
        value(one) for one in await asyncio.gather(*(run(executor, app, absent) for _ in range(20)))
    ].count(True) == 1
    present = script(C + 'c.set_if("k", 1, 2)', app=app)
    assert [
        value(one) for one in await asyncio.gather(*(run(executor, app, present) for _ in range(20)))
    ].count(True) == 1
    assert value(await run(executor, app, C + 'c.get("k")')) == 2


async def test_compare_and_set_distinguishes_integers_and_floats(executor: Executor, app: UUID) -> None:
    source = (
        C
        + 'c.set("k", #{b: 1, a: 2}); [c.set_if("k", #{ a: 2, b: 1.0 }, 1), c.set_if("k", #{a: 2, b: 1}, 1)]'
    )
    assert value(await run(executor, app, source)) == [False, True]


async def test_an_expired_key_is_absent_to_everything(
    executor: Executor, app: UUID, database: Database
) -> None:
    await run(
        executor, app, C + 'for k in ["a", "b", "d"] { c.set(k, 5, #{ ttl_seconds: 60 }); } c.set("e", 1)'
    )
    assert value(await run(executor, app, C + "c.list().keys")) == ["a", "b", "d", "e"]
    await database.execute(
        "UPDATE kv_entries SET expires_at = now() - interval '1 second' WHERE expires_at > now()"
    )
    source = (
        C
        + """#{ get: c.get("a"), has: c.has("a"), list: c.list().keys, delete: c.delete("d"),
                       set_if: c.set_if("a", (), 7), increment: c.increment("b", 1), after: c.get("a") }"""
    )
    assert value(await run(executor, app, source)) == {
        "get": None,
        "has": False,
        "list": ["e"],
        "delete": False,
        "set_if": True,
        "increment": 1,
        "after": 7,
    }
    rows = await database.fetch("SELECT key, expires_at FROM kv_entries ORDER BY key")
    assert [(row["key"], row["expires_at"]) for row in rows] == [("a", None), ("b", None), ("e", None)]


async def test_what_compare_and_set_stores_expires_if_it_is_said_and_else_when_it_would_have(
    executor: Executor, app: UUID, database: Database
) -> None:
    left = (
        "SELECT extract(epoch FROM expires_at - clock_timestamp())::float FROM kv_entries WHERE app_id = $1"
    )
    assert value(await run(executor, app, C + 'c.set_if("k", (), 1, #{ ttl_seconds: 100 })')) is True
    assert 90 < await database.fetchval(left, app) <= 100
    refused = C + 'c.set_if("k", 2, 3, #{ ttl_seconds: 500 })'
    assert value(await run(executor, app, refused)) is False
    assert value(await run(executor, app, C + 'c.set_if("k", 1, 2)')) is True
    assert 90 < await database.fetchval(left, app) <= 100
    assert value(await run(executor, app, C + 'c.set_if("k", 2, 3, #{ ttl_seconds: 500 })')) is True
    assert 490 < await database.fetchval(left, app) <= 500
    await database.execute("UPDATE kv_entries SET expires_at = now() - interval '1 second'")
    late = C + '[c.set_if("k", 3, 4, #{ ttl_seconds: 500 }), c.set_if("k", (), 5, #{ ttl_seconds: 9 })]'
    assert value(await run(executor, app, late)) == [False, True]
    assert 0 < await database.fetchval(left, app) <= 9


WALK = """
    let all = []; let sizes = []; let at = "";
    while at != () {
        let page = c.entries(at, LIMIT);
        for entry in page.entries { all.push([entry.key, entry.value]); }
        sizes.push(page.entries.len());
        at = page.next_cursor;
    }
    [sizes, all]
"""


async def test_entries_are_the_keys_of_a_list_with_their_values(
    executor: Executor, app: UUID, database: Database
) -> None:
    fill = "for i in 0..25 { c.set(`k${i}`, #{ i: i, list: [i] }); } c.set(`gone`, 1, #{ ttl_seconds: 60 })"
    await run(executor, app, C + fill)
    await database.execute(
        "UPDATE kv_entries SET expires_at = now() - interval '1 second' WHERE expires_at > now()"
    )
    keys = value(await run(executor, app, C + "c.list().keys"))
    assert isinstance(keys, list)
    wanted = [[key, {"i": int(key[1:]), "list": [int(key[1:])]}] for key in keys]
    assert value(await run(executor, app, C + WALK.replace("LIMIT", "10"))) == [[10, 10, 5], wanted]
    assert value(await run(executor, app, C + WALK.replace("LIMIT", "25"))) == [[25], wanted]
    mixed = C + 'c.entries(c.list("", 24).next_cursor)'
    assert value(await run(executor, app, mixed)) == {
        "entries": [{"key": wanted[-1][0], "value": wanted[-1][1]}],
        "next_cursor": None,
    }
    assert value(await run(executor, app, 'kv::collection("d").entries()')) == {
        "entries": [],
        "next_cursor": None,
    }


async def test_a_page_of_entries_ends_before_it_is_too_large(executor: Executor, app: UUID) -> None:
    sized = C + "let s = ``; s.pad(SIZE, `x`); for i in 0..7 { c.set(`k${i}`, s); }"
    await run(executor, app, sized.replace("SIZE", "80000"))
    lengths = C + WALK.replace("LIMIT", "100").replace("entry.value", "entry.value.len()")
    assert value(await run(executor, app, lengths)) == [[3, 3, 1], [[f"k{n}", 80_000] for n in range(7)]]
    # Of what is short as it is stored the script's own limits have less.
    many = C + "let a = []; a.pad(4000, 1); for i in 0..7 { c.set(`k${i}`, a); }"
    await run(executor, app, many)
    assert value(await run(executor, app, lengths)) == [[2, 2, 2, 1], [[f"k{n}", 4_000] for n in range(7)]]


async def test_a_value_that_is_too_large_for_a_script_can_be_caught_and_stepped_over(
    executor: Executor, app: UUID
) -> None:
    large = C + 'let s = ``; s.pad(300000, `x`); c.set("b", s); c.set("a", 1); c.set("c", 3)'
    await run(executor, app, large, max_string_size=1024 * 1024)
    caught = (
        C
        + """
        let said = [];
        try { c.get("b"); } catch (e) { said.push(e); }
        said
    """
    )
    assert value(await run(executor, app, caught)) == [
        "kv::get: the result exceeds 262144 bytes (max_string_size)"
    ]
    listed = (
        C + "let all = []; let at = ``; do { let p = c.entries(at); all += p.entries; at = p.next_cursor; }"
    )
    listed += " while at != (); all"
    assert value(await run(executor, app, listed)) == [
        {"key": "a", "value": 1},
        {"key": "b", "value": None, "too_large": True},
        {"key": "c", "value": 3},
    ]
    whole = await run(executor, app, C + "c.entries().entries.len()", max_string_size=1024 * 1024)
    assert value(whole) == 1


async def test_pages_are_complete_while_others_write(executor: Executor, app: UUID) -> None:
    await run(executor, app, C + "for i in 0..300 { c.set(`k${i}`, i); }")
    noise = script(C + "for i in 0..100 { c.set(`k${i}x`, i); c.delete(`k${i}x`); }", app=app)
    walk = script(
        C
        + "let all = []; "
        + 'let at = ""; while at != () { let p = c.list(at, 7); all += p.keys; at = p.next_cursor; } all',
        app=app,
    )
    outcomes = await asyncio.gather(*(run(executor, app, one) for one in (noise, walk, noise, walk, noise)))
    for pages in (value(outcomes[1]), value(outcomes[3])):
        assert isinstance(pages, list)
        kept = [key for key in pages if not key.endswith("x")]
        assert sorted(kept) == sorted(f"k{i}" for i in range(300))
        assert pages == sorted(pages)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('kv::collection("").get("k")', "collection"),
        ('kv::collection("c\\x00").get("k")', "NUL"),
        ('let s = ""; s.pad(129, "c"); kv::collection(s).get("k")', "128"),
        (C + 'c.get("")', "key"),
        (C + 'c.get("\\x00")', "NUL"),
        (C + 'let s = ""; s.pad(513, "k"); c.get(s)', "512"),
        (C + 'let s = ""; s.pad(200, "🎈"); c.get(s)', "512"),
        (C + "c.get(1)", "key"),
        (C + 'c.set("k", ())', "()"),
        (C + 'c.set("k", |x| x)', "value"),
        (C + 'c.set("k", 1, #{ ttl_seconds: 0 })', "ttl_seconds"),
        (C + 'c.set("k", 1, #{ ttl_seconds: 999999999999 })', "ttl_seconds"),
        (C + 'c.set("k", 1, #{ ttl: 1 })', "ttl"),
        (C + 'c.set_if("k", (), 1, #{ ttl_seconds: 0 })', "ttl_seconds"),
        (C + 'c.set_if("k", (), 1, #{ ttl_seconds: 999999999999 })', "ttl_seconds"),
        (C + 'c.set_if("k", (), 1, #{ ttl: 1 })', "ttl"),
        (C + 'c.entries("nonsense!")', "cursor"),
        (C + 'c.entries("", 0)', "limit"),
        (C + 'c.entries("", 1001)', "limit"),
        (C + 'c.list("nonsense!")', "cursor"),
        (C + 'c.list("", 0)', "limit"),
        (C + 'c.list("", 1001)', "limit"),
        (C + 'c.set("k", "text"); c.increment("k", 1)', "integer"),
        (C + 'c.set("k", 9223372036854775807); c.increment("k", 1)', "64 bits"),
    ],
)
async def test_an_invalid_argument_throws_with_its_name(
    source: str, said: str, executor: Executor, app: UUID
) -> None:
    outcome = await run(executor, app, source)
    assert outcome.code == "script_error"
    assert outcome.error is not None
    assert said in outcome.error.message
    caught = await run(executor, app, f"try {{ {source} }} catch (e) {{ return e; }} 1")
    assert value(caught) == outcome.error.message


async def test_a_value_above_a_mebibyte_is_rejected(executor: Executor, app: UUID) -> None:
    most = {"max_string_size": 1024 * 1024, "max_fuel": 50_000_000_000}
    outcome = await run(executor, app, C + 'let s = ""; s.pad(1048576, "x"); c.set("k", s)', **most)
    assert outcome.code == "script_error"
    assert outcome.error is not None
    assert "1048576" in outcome.error.message
    source = C + 'let s = ""; s.pad(1048000, "x"); c.set("k", s); c.get("k").len()'
    assert value(await run(executor, app, source, **most)) == 1_048_000


async def test_an_error_has_its_position(executor: Executor, app: UUID) -> None:
    outcome = await run(executor, app, C + '\n  c.get("");')
    assert outcome.error is not None
    assert (outcome.error.line, outcome.error.column) == (2, 5)


async def test_the_same_names_in_two_apps_are_separate(
    executor: Executor, app: UUID, database: Database
) -> None:
    other = await make_app(database)
    await run(executor, app, C + 'c.set("k", "mine"); c.set("n", 1)')
    spy = (
        C
        + '[c.get("k"), c.has("k"), c.delete("k"), c.list().keys, c.entries().entries, c.set_if("k", (), 1),'
        + ' c.increment("n", 5)]'
    )
    assert value(await run(executor, other, spy)) == [None, False, False, [], [], True, 5]
    assert value(await run(executor, app, C + '[c.get("k"), c.get("n")]')) == ["mine", 1]


async def test_a_cancelled_execution_leaves_the_database_whole(executor: Executor, app: UUID) -> None:
    version = script(C + 'for i in 0..1000 { c.increment("n", 1); }', app=app)
    for steps in range(1, 60, 4):
        task = asyncio.create_task(run(executor, app, version))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    before = value(await run(executor, app, C + 'c.increment("n", 0)'))
    assert isinstance(before, int)
    assert value(await run(executor, app, C + 'c.increment("n", 1)')) == before + 1
    assert executor.admission.running == 0
