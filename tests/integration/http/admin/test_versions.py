"""Promises of the admin API: versions of scripts."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from tests.integration.conftest import Worker
from tests.integration.http.conftest import OWNER, Answer, Client

FIRST, SECOND = 'let a = 1;\n"first"\n', 'let a = 1;\n"second"\n'


async def saved(client: Client) -> str:
    """The path of a script at version 3: a new source, then a new limit and name."""
    script = await client.script(FIRST, message="made")
    path = f"/scripts/{script['id']}"
    await client.admin("PATCH", path, {"source": SECOND, "message": "changed"})
    await client.admin("PATCH", path, {"sandbox": {"max_fuel": 5_000_000}, "name": "renamed"})
    return path


async def restore(client: Client, path: str, number: object, **body: object) -> Answer:
    return await client.admin("POST", f"{path}/versions/{number}:restore", body)


async def test_versions_are_listed_newest_first_with_author_message_and_hash(client: Client) -> None:
    path = await saved(client)
    items = (await client.admin("GET", f"{path}/versions")).json["items"]
    assert [(one["version"], one["message"]) for one in items] == [(3, ""), (2, "changed"), (1, "made")]
    assert {one["author"]["username"] for one in items} == {OWNER}
    assert items[2]["sha256"] == hashlib.sha256(FIRST.encode()).hexdigest()
    assert items[2]["size"] == len(FIRST)
    assert [one["sandbox"] for one in items] == [{"max_fuel": 5_000_000}, {}, {}]
    assert all("source" not in one for one in items)
    one = await client.admin("GET", f"{path}/versions/1")
    assert one.json == {**items[2], "source": FIRST}


async def test_the_list_is_cut_into_pages_that_join_up(client: Client) -> None:
    path = await saved(client)
    first = (await client.admin("GET", f"{path}/versions?limit=2")).json
    rest = (await client.admin("GET", f"{path}/versions?limit=2&cursor={first['next_cursor']}")).json
    assert [one["version"] for one in first["items"] + rest["items"]] == [3, 2, 1]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    "version", ["0", "4", "-1", "x", "1.0", "+1", "01x", "9" * 30, "2147483648", "%00", "%C2%B2", "01"]
)
async def test_an_unknown_version_is_404(client: Client, version: str) -> None:
    path = await saved(client)
    assert (await client.admin("GET", f"{path}/versions/{version}")).status == 404
    assert (await restore(client, path, version)).status == 404


async def test_the_author_outlives_their_name(client: Client, worker: Worker) -> None:
    path = await saved(client)
    author = (await client.admin("GET", f"{path}/versions/1")).json["author"]
    await worker.database.execute(
        "UPDATE script_versions SET author_id = CASE version WHEN 1 THEN gen_random_uuid() END"
    )
    items = (await client.admin("GET", f"{path}/versions")).json["items"]
    assert [one["author"] and one["author"]["username"] for one in items] == [None, None, None]
    assert items[0]["author"] is None
    assert items[2]["author"]["id"] != author["id"]


async def test_a_restore_is_a_new_version_that_runs_as_the_old_one_did(client: Client) -> None:
    path = await saved(client)
    restored = await restore(client, path, 1)
    assert restored.status == 200
    script = restored.json
    assert (script["version"], script["source"], script["sandbox"]) == (4, FIRST, {})
    assert script["name"] == "renamed"
    newest = (await client.admin("GET", f"{path}/versions/4")).json
    assert (newest["message"], newest["source"]) == ("Restored version 1", FIRST)
    assert (await client.execute(script)).json == "first"
    await restore(client, path, 3, message="back again")
    assert (await client.admin("GET", f"{path}/versions/5")).json["message"] == "back again"
    assert (await client.admin("GET", path)).json["sandbox"] == {"max_fuel": 5_000_000}


async def test_a_restore_brings_the_kind_back_unless_routes_need_another(client: Client) -> None:
    script = await client.script("fn f() { 1 }", kind="module")
    path = f"/scripts/{script['id']}"
    await client.admin("PATCH", path, {"kind": "endpoint", "source": FIRST})
    route = await client.route(script, "/x")
    refused = await restore(client, path, 1)
    assert (refused.status, [one["id"] for one in refused.details["routes"]]) == (409, [route["id"]])
    await client.admin("DELETE", f"/apps/default/routes/{route['id']}")
    assert (await restore(client, path, 1)).json["kind"] == "module"


async def test_of_two_restores_for_one_version_one_is_409(client: Client) -> None:
    path = await saved(client)
    answers = await asyncio.gather(*(restore(client, path, 1, version=3) for _ in range(3)))
    assert sorted(answer.status for answer in answers) == [200, 409, 409]
    stale = await client.admin("POST", f"{path}/versions/1:restore", {}, headers={"If-Match": '"3"'})
    assert (stale.status, stale.error, stale.details) == (
        412,
        "precondition_failed",
        {"expected": 3, "version": 4},
    )
    assert (await restore(client, path, 1, source="1")).status == 422


async def test_a_version_that_is_not_valid_any_more_is_not_restored(client: Client, worker: Worker) -> None:
    path = await saved(client)
    await worker.database.execute("UPDATE script_versions SET source = 'let x = ;' WHERE version = 1")
    assert (await restore(client, path, 1)).error == "script_invalid"
    await worker.database.execute(
        "UPDATE script_versions SET source = '1', sandbox = '{\"timeout_seconds\": 9999}' WHERE version = 1"
    )
    refused = await restore(client, path, 1)
    assert (refused.status, refused.details["field"]) == (422, "sandbox.timeout_seconds")
    assert (await client.admin("GET", path)).json["version"] == 3


async def test_a_diff_is_from_the_version_before_to_the_current_one_unless_said(client: Client) -> None:
    path = await saved(client)
    assert (await client.admin("GET", f"{path}/diff")).json == {
        "from": 2,
        "to": 3,
        "diff": "",
        "changes": {"sandbox.max_fuel": [None, 5_000_000]},
    }
    assert (await client.admin("GET", f"{path}/diff?to=2")).json == {
        "from": 1,
        "to": 2,
        "diff": '--- version 1\n+++ version 2\n@@ -1,2 +1,2 @@\n let a = 1;\n-"first"\n+"second"\n',
        "changes": {},
    }
    back = (await client.admin("GET", f"{path}/diff?from=3&to=1")).json
    assert (back["from"], back["to"], back["changes"]) == (3, 1, {"sandbox.max_fuel": [5_000_000, None]})
    assert '-"second"\n+"first"\n' in back["diff"]
    fresh = await client.script('"x"', name="fresh")
    assert (await client.admin("GET", f"/scripts/{fresh['id']}/diff")).json == {
        "from": 1,
        "to": 1,
        "diff": "",
        "changes": {},
    }


@pytest.mark.parametrize(
    ("query", "status"),
    [("from=9", 404), ("to=9", 404), ("from=0", 422), ("to=x", 422), ("from=9999999999", 422), ("by=1", 422)],
)
async def test_a_diff_of_a_missing_version_is_rejected(client: Client, query: str, status: int) -> None:
    path = await saved(client)
    assert (await client.admin("GET", f"{path}/diff?{query}")).status == status


async def test_a_diff_of_large_sources_lets_others_be_served(client: Client, worker: Worker) -> None:
    path = await saved(client)
    for version, line in ((1, "1\n"), (2, "2\n")):
        await worker.database.execute(
            "UPDATE script_versions SET source = (SELECT string_agg("
            "CASE WHEN n % 7 < $1 THEN $2 ELSE n || E'\\n' END, '') FROM generate_series(1, 150000) n)"
            " WHERE version = $1",
            version,
            line,
        )
    served = 0
    diff = asyncio.create_task(client.admin("GET", f"{path}/diff?from=1&to=2"))
    while not diff.done():
        assert (await client("GET", "/healthz")).status == 200
        served += 1
    answer = await diff
    assert answer.status == 200
    assert len(answer.json["diff"]) > 1_000_000
    assert served > 1
