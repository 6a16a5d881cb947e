"""A full disk, and a database that cannot run statements: writes fail with an error that says why."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from tests.integration.conftest import Worker
from tests.integration.http.conftest import Client

WRITES = {
    "kv": 'kv::collection("c").set("k", 1)',
    "increment": 'kv::collection("c").increment("n", 1)',
    "docs": 'docs::collection("c").create(#{ a: 1 })',
    "update": 'docs::collection("c").update(ctx.request.query.id, #{ a: 2 })',
    "files": 'files::collection("c").create(#{ name: "a", data: "x" })',
}
DELETIONS = {
    "kv": 'kv::collection("c").delete("old")',
    "docs": 'docs::collection("c").delete(ctx.request.query.id)',
    "files": 'files::collection("c").delete(ctx.request.query.file)',
}
STORED = """
kv::collection("c").set("old", 1);
let made = docs::collection("c").create(#{ a: 1 });
#{ id: made.id ?? made, file: files::collection("c").create(#{ name: "a", data: "x" }).id }
"""


def catching(write: str) -> str:
    return f'let done = "written"; try {{ {write}; }} catch (error) {{ done = `caught ${{error}}`; }} done'


@pytest.fixture
def full(worker: Worker) -> Iterator[None]:
    """Less space is free than the reserve, because the reserve is larger than any disk."""
    space = worker.platform.space
    reserve, space.reserve, space._checked = space.reserve, 1 << 62, float("-inf")
    yield
    space.reserve, space._checked = reserve, float("-inf")


async def test_on_a_full_disk_scripts_get_an_error_they_can_catch_and_deletions_work(
    client: Client, worker: Worker
) -> None:
    stored = (await client.execute(await client.script(STORED, name="stored"))).json
    query = f"?id={stored['id']}&file={stored['file']}"
    writes = {name: await client.script(catching(write), name=f"w-{name}") for name, write in WRITES.items()}
    deletions = {name: await client.script(write, name=f"d-{name}") for name, write in DELETIONS.items()}
    uncaught = await client.script(WRITES["kv"], name="uncaught")

    async def run(script: dict[str, str]) -> tuple[int, str]:
        answer = await client("POST", f"/api/v1/execute/{script['id']}{query}")
        return answer.status, answer.body.decode()

    space = worker.platform.space
    reserve, space.reserve, space._checked = space.reserve, 1 << 62, float("-inf")
    for name, script in writes.items():
        status, text = await run(script)
        assert status == 200, text
        assert text.startswith('"caught'), (name, text)
        assert "storage of the server is full" in text, (name, text)
    status, text = await run(uncaught)
    assert (status, "script_error" in text) == (502, True)
    for name, script in deletions.items():
        assert (await run(script))[0] == 200, name
    space.reserve, space._checked = reserve, float("-inf")
    for name, script in writes.items():
        if name != "update":  # its document was deleted
            assert "written" in (await run(script))[1], name


@pytest.mark.usefixtures("full")
async def test_on_a_full_disk_users_get_a_507_and_can_delete(client: Client) -> None:
    for method, path, body in (
        ("PUT", "/apps/default/kv/c/k", {"value": 1}),
        ("POST", "/apps/default/docs/c", {"data": {"a": 1}}),
        ("PUT", "/apps/default/vars/NAME", {"value": "x"}),
        ("POST", "/apps/default/scripts", {"name": "new", "source": "1"}),
        ("POST", "/apps", {"slug": "shop", "name": "Shop"}),
        ("POST", "/users", {"username": "vic", "password": "correct horse"}),
    ):
        answer = await client.admin(method, path, body)
        assert (answer.status, answer.error) == (507, "storage_full"), path
    ready = await client("GET", "/readyz")
    assert (ready.status, "disk" in ready.body.decode()) == (503, True)
    (route,) = (await client.admin("GET", "/apps/default/routes")).json["items"]
    assert (await client.admin("DELETE", f"/apps/default/routes/{route['id']}")).status == 204
    (script,) = (await client.admin("GET", "/apps/default/scripts")).json["items"]
    assert (await client.admin("DELETE", f"/scripts/{script['id']}")).status == 204
    assert (await client.admin("DELETE", "/apps/default?force=true")).status == 204


FAULTS = {
    "53100": (507, "storage_full"),
    "53000": (503, "unavailable"),
    "53200": (503, "unavailable"),
    "53400": (503, "unavailable"),
    "40001": (503, "unavailable"),
    "40P01": (503, "unavailable"),
    "55P03": (503, "unavailable"),
    "57014": (503, "unavailable"),
    "57P01": (503, "unavailable"),
    "57P02": (503, "unavailable"),
    "57P03": (503, "unavailable"),
    "25006": (503, "unavailable"),
    "58030": (503, "unavailable"),
    "08006": (503, "unavailable"),
}


@pytest.mark.parametrize(("code", "expected"), FAULTS.items())
async def test_an_error_of_the_database_is_never_an_internal_error(
    client: Client, worker: Worker, code: str, expected: tuple[int, str], caplog: pytest.LogCaptureFixture
) -> None:
    """PostgreSQL itself raises the error, in a trigger on the table."""
    script = await client.script(WRITES["kv"])
    await worker.database.execute(
        f"""CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$"""
    )
    await worker.database.execute(
        "CREATE TRIGGER fail BEFORE INSERT ON kv_entries FOR EACH ROW EXECUTE FUNCTION fail()"
    )
    with caplog.at_level(logging.WARNING):
        answers = [await client.execute(script) for _ in range(3)]
        by_user = await client.admin("PUT", "/apps/default/kv/c/k", {"value": 1})
    assert (by_user.status, by_user.error) == expected
    status, error = (502, "script_error") if expected[0] == 507 else expected
    for answer in answers:
        assert (answer.status, answer.error) == (status, error)
        assert answer.headers.get("Retry-After") == ("1" if status == 503 else None)
    assert not [record for record in caplog.records if record.exc_info]
    await worker.database.execute("DROP TRIGGER fail ON kv_entries")
    assert (await client.execute(script)).status == 200


async def test_executions_on_a_full_disk_are_recorded_when_there_is_space_again(
    client: Client, worker: Worker
) -> None:
    script = await client.script("1")
    space = worker.platform.space
    reserve, space.reserve, space._checked = space.reserve, 1 << 62, float("-inf")
    assert (await client.execute(script)).status == 200
    assert await worker.database.fetchval("SELECT count(*) FROM execution_logs") == 0
    space.reserve, space._checked = reserve, float("-inf")
    async with asyncio.timeout(30):
        while not await worker.database.fetchval("SELECT count(*) FROM execution_logs"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
