"""Promises of the admin API: the execution log."""

from __future__ import annotations

from uuid import uuid4

from tests.integration.conftest import Worker
from tests.integration.http.conftest import Client

LOGS = 'if ctx.request.body == "fail" { throw "failed" } log::info("ran", #{ n: 1 }); "done"'


async def test_the_log_is_newest_first_in_pages_and_by_outcome(client: Client, worker: Worker) -> None:
    script = await client.script(
        'if ctx.request.body == "fail" { throw "failed" } log::info("ran", #{ n: 1 }); "done"'
    )
    text = {"Content-Type": "text/plain"}
    ids = []
    for body in ("a", "fail", "b"):
        ids.insert(0, (await client.execute(script, data=body, headers=text)).headers["X-Execution-Id"])
    path = f"/scripts/{script['id']}/logs"
    first = (await client.admin("GET", f"{path}?limit=2")).json
    rest = (await client.admin("GET", f"{path}?limit=2&cursor={first['next_cursor']}")).json
    assert [entry["execution_id"] for entry in first["items"] + rest["items"]] == ids
    assert rest["next_cursor"] is None
    (failed,) = (await client.admin("GET", f"{path}?outcome=script_error")).json["items"]
    assert failed["error"]["message"] == "failed"
    assert (failed["error"]["line"], failed["status"]) == (1, 502)
    entry = first["items"][0]
    assert (entry["logs"][0]["level"], entry["logs"][0]["message"], entry["logs"][0]["data"]) == (
        "info",
        "ran",
        {"n": 1},
    )
    everything = (await client.admin("GET", "/apps/default/executions?outcome=ok")).json["items"]
    assert [entry["execution_id"] for entry in everything] == [ids[0], ids[2]]
    assert (await client.admin("GET", f"{path}?outcome=odd")).status == 422


async def test_a_thrown_value_is_whole_in_the_record_and_in_the_response_to_a_member(client: Client) -> None:
    script = await client.script('let n = 1;\nthrow #{ code: 42, reason: "gone", of: [n, ()] };')
    thrown = {"code": 42, "reason": "gone", "of": [1, None]}
    answer = await client.execute(script)
    assert answer.status == 502
    assert answer.json["error"]["details"]["thrown"] == thrown
    (entry,) = (await client.admin("GET", f"/scripts/{script['id']}/logs")).json["items"]
    assert entry["error"] == {
        "message": '{"code":42,"of":[1,null],"reason":"gone"}',
        "line": 2,
        "column": 1,
        "module": None,
        "thrown": thrown,
    }


async def test_a_flood_of_lines_shows_where_lines_are_missing(client: Client) -> None:
    script = await client.script("for i in 0..3000 { print(i); if i == 1500 { log::warn(`odd`); } } 1")
    await client.execute(script)
    (entry,) = (await client.admin("GET", f"/scripts/{script['id']}/logs")).json["items"]
    assert [line["message"] for line in (entry["logs"][0], entry["logs"][-1])] == ["0", "2999"]
    assert "odd" in [line["message"] for line in entry["logs"]]
    missing = [line["dropped"] for line in entry["logs"] if "dropped" in line]
    assert (len(missing), sum(missing)) == (2, entry["logs_dropped"])


async def test_an_execution_is_found_under_its_own_app_only(client: Client) -> None:
    script, other = await client.script(LOGS), await client.script('"other"', name="other")
    ran = (await client.execute(script)).headers["X-Execution-Id"]
    await client.execute(other)
    found = await client.admin("GET", f"/apps/default/executions/{ran}")
    assert (found.status, found.json["execution_id"], found.json["script_id"]) == (200, ran, script["id"])
    listed = (await client.admin("GET", f"/apps/default/executions?script_id={script['id']}")).json
    assert listed["items"] == [found.json]
    await client.admin("POST", "/apps", {"slug": "shop", "name": "Shop"})
    assert (await client.admin("GET", f"/apps/shop/executions/{ran}")).status == 404
    assert (await client.admin("GET", f"/apps/shop/executions?script_id={script['id']}")).json["items"] == []
    for name in (str(uuid4()), "x", "%00"):
        assert (await client.admin("GET", f"/apps/default/executions/{name}")).status == 404
    wrong = await client.admin("GET", "/apps/default/executions?script_id=x")
    assert (wrong.status, wrong.details["field"]) == (422, "script_id")
