"""What a request costs the database when everything about its script is in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from unittest.mock import patch

import pytest

from picloud.db.pool import Connection, Database
from tests.integration.conftest import CONSOLE, Worker
from tests.integration.http.conftest import Client

# The execution log is written beside the requests; its first batch makes asyncpg look up types.
BESIDE = ("execution_logs", "'jit'", "pg_catalog.pg_type")


@contextmanager
def statements() -> Iterator[list[str]]:
    """What any connection of the pool is sent, but for `BESIDE`."""
    sent: list[str] = []
    acquire = Database.acquire

    def log(query: str) -> None:
        if not any(word in query for word in BESIDE):
            sent.append(query)

    @asynccontextmanager
    async def watched(self: Database) -> AsyncIterator[Connection]:
        async with acquire(self) as connection:
            with connection.query_logger(lambda logged: log(logged.query)):
                yield connection

    with patch.object(Database, "acquire", watched):
        yield sent


async def test_a_route_whose_script_has_three_modules_sends_the_database_nothing(
    client: Client, worker: Worker
) -> None:
    for name, source in {
        "one": "fn n() { 1 }",
        "two": 'import "one" as one; fn n() { one::n() + 1 }',
        "three": "fn n() { 10 }",
    }.items():
        await client.script(source, name, kind="module")
    script = await client.script('import "two" as two; import "three" as three; two::n() + three::n()')
    await client.route(script, "/sum")
    client.token = None
    with statements() as sent:
        assert (await client("GET", "/sum")).json == 12
        assert sent  # the first request reads the script and its modules
        compiled = worker.platform.executor.sandbox.cache.compiled
        sent.clear()
        for _ in range(10):
            assert (await client("GET", "/sum")).json == 12
        assert sent == []
    assert worker.platform.executor.sandbox.cache.compiled == compiled


async def test_a_module_that_is_missing_is_looked_for_once_until_something_is_saved(client: Client) -> None:
    source = 'let r = []; for name in ["no", "none"] { try { import name as m; } catch (e) { r.push(e); } } r'
    literal = 'let n = 1; try { import "no" as m; m::n() } catch { n = 0; } n'
    await client.route(await client.script(source, "made-up"), "/made-up")
    await client.route(await client.script(literal, "literal"), "/literal")
    client.token, token = None, client.token
    assert len((await client("GET", "/made-up")).json) == 2
    assert (await client("GET", "/literal")).json == 0
    with statements() as sent:
        for _ in range(3):
            assert len((await client("GET", "/made-up")).json) == 2
            assert (await client("GET", "/literal")).json == 0
        assert sent == []
    client.token = token
    await client.script("fn n() { 1 }", "no", kind="module")
    client.token = None
    assert len((await client("GET", "/made-up")).json) == 1
    assert (await client("GET", "/literal")).json == 1


async def test_a_host_call_sends_the_database_its_own_statement_and_no_more(client: Client) -> None:
    source = """
        let c = kv::collection("c");
        switch ctx.request.query.op {
            "get" => c.get("k"), "has" => c.has("k"), "find" => docs::collection("c").find(#{ n: 1 }),
            "set" => c.set("k", 1), "create" => docs::collection("c").create(#{ n: 1 }),
        }
    """
    await client.route(await client.script(source), "/op")
    client.token = None
    for op in ("get", "has", "find", "set", "create"):
        assert (await client("GET", f"/op?op={op}")).status == 200
        with statements() as sent:
            assert (await client("GET", f"/op?op={op}")).status == 200
        assert len(sent) == 1, (op, sent)


@pytest.mark.parametrize(("app", "statements_sent"), [("other", 1), ("default", 2)])
async def test_a_save_costs_one_statement_once_and_another_in_its_own_app(
    client: Client, worker: Worker, app: str, statements_sent: int
) -> None:
    await client.admin("POST", "/apps", {"slug": "other", "name": "Other"})
    other = await client.script("1", "other", app)
    await client.route(await client.script('"hi"'), "/hi")
    client.token = None
    assert (await client("GET", "/hi")).status == 200
    saved = await worker.platform.scripts.get(other["id"])
    await worker.platform.scripts.update(saved, {"source": "2"}, actor=CONSOLE)
    with statements() as sent:
        assert (await client("GET", "/hi")).json == "hi"
        assert len(sent) == statements_sent
        assert (await client("GET", "/hi")).json == "hi"
        assert len(sent) == statements_sent
