"""Promises of http/public/execute.py."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.integration.conftest import Worker
from tests.integration.http.conftest import Client

WORK = """
fn double(n) { n * 2 }
let total = 0;
for n in ctx.request.body.numbers { total += double(n); }
let memory = kv::collection("totals");
memory.set("last", total);
#{ statusCode: 201, headers: #{ "x-total": total.to_string() }, body: #{ total: memory.get("last") } }
"""


async def test_a_script_with_a_function_a_loop_and_kv_is_on_record(client: Client, worker: Worker) -> None:
    script = await client.script(WORK)
    bodies = set()
    for _ in range(2):
        answer = await client.execute(script, json={"numbers": [1, 2, 3]})
        assert (answer.status, answer.json) == (201, {"total": 12})
        assert answer.headers["X-Total"] == "12"
        bodies.add(answer.body)
    assert len(bodies) == 1
    edited = await client.admin("PATCH", f"/scripts/{script['id']}", {"source": '"edited"', "version": 1})
    assert edited.json["version"] == 2
    assert (await client.execute(script)).json == "edited"

    third, second, first = (await client.admin("GET", f"/scripts/{script['id']}/logs")).json["items"]
    assert [entry["version"] for entry in (first, second, third)] == [1, 1, 2]
    assert [entry["cache"] for entry in (first, second, third)] == ["cold", "cached", "cold"]
    assert first["fuel"] == second["fuel"] > 0
    assert first["host_calls"] == {"kv_set": 1, "kv_get": 1}
    assert (first["outcome"], first["status"], first["ingress"]) == ("ok", 201, "execute")


async def test_an_unknown_or_garbage_id_is_404(anyone: Client) -> None:
    for script_id in (str(uuid4()), "x", "%00", "{" + str(uuid4())[:34] + "}"):
        answer = await anyone("POST", f"/api/v1/execute/{script_id}")
        assert (answer.status, answer.error) == (404, "not_found")


async def test_a_module_cannot_be_executed(client: Client) -> None:
    script = await client.script("fn f() { 1 }", kind="module")
    answer = await client.execute(script)
    assert (answer.status, answer.error) == (422, "invalid")


async def test_a_members_script_needs_a_principal(client: Client, worker: Worker) -> None:
    script = await client.script("ctx.request.headers", execute_access="members")
    token, client.token = client.token, None
    assert (await client.execute(script)).status == 401
    assert (await client.execute(script, headers={"Authorization": "Bearer pis_wrong"})).status == 401
    client.token = token
    answer = await client.execute(script)
    assert answer.status == 200
    assert "authorization" not in answer.json


async def test_an_open_script_treats_an_invalid_token_as_anonymous(client: Client) -> None:
    script = await client.script("ctx.request.headers", execute_access="open")
    answer = await client.execute(script, headers={"Authorization": "Bearer pis_wrong"})
    assert answer.status == 200
    assert "authorization" not in answer.json


async def test_a_byte_order_mark_is_skipped_in_json_forms_and_sources(client: Client) -> None:
    script = await client.script("\ufeff" + '[ctx.request.body, url::decode_query("\ufeffa=1")]', "bom")
    assert not (await client.admin("GET", f"/scripts/{script['id']}")).json["source"].startswith("\ufeff")
    answer = await client.execute(
        script, data="\ufeff[1]".encode(), headers={"Content-Type": "application/json"}
    )
    assert answer.json == [[1], {"a": "1"}]


async def test_the_body_is_the_scripts_in_any_form(client: Client) -> None:
    script = await client.script("type_of(ctx.request.body)")
    assert (await client.execute(script)).json == "()"
    assert (
        await client.execute(script, data=b"text", headers={"Content-Type": "text/plain"})
    ).json == "string"
    binary = {"Content-Type": "application/octet-stream"}
    assert (await client.execute(script, data=b"\x00\xff", headers=binary)).json == "blob"


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5000, b'"\\ud800"', b'"\\u0000"']
)
async def test_no_json_body_breaks_the_server(client: Client, body: bytes) -> None:
    script = await client.script("1")
    answer = await client.execute(script, data=body, headers={"Content-Type": "application/json"})
    assert answer.status < 500, answer.body


async def test_a_script_that_no_route_leads_to_needs_a_member(client: Client) -> None:
    draft = {"name": "done", "source": '"done"'}
    script = (await client.admin("POST", "/apps/default/scripts", draft)).json
    assert script["execute_access"] == "routed"
    token, client.token = client.token, None
    assert (await client.execute(script)).status == 401
    client.token = token
    assert (await client.execute(script)).status == 200
    route = await client.route(script, "/done")
    client.token = None
    assert (await client.execute(script)).status == 200
    client.token = token
    assert (await client.admin("DELETE", f"/apps/default/routes/{route['id']}")).status == 204
    client.token = None
    assert (await client.execute(script)).status == 401


async def test_an_open_script_needs_no_route(client: Client) -> None:
    script = await client.script('"done"', execute_access="open")
    client.token = None
    assert (await client.execute(script)).status == 200
