"""Promises of records over HTTP: which bodies are kept, who sees them, and that no secret is among them."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import Any

import pytest

from picloud.execution.log_rate import LogRate
from tests.integration.conftest import Worker
from tests.integration.http.conftest import Client

ECHO = "#{ statusCode: ctx.request.query.status.parse_int(), body: ctx.request.body }"
FAILS = """
print(ctx.request.body);
log::info("request", #{ body: ctx.request.body, query: ctx.request.query, headers: ctx.request.headers });
throw "no: " + ctx.request.body
"""


async def logged(client: Client, script: dict[str, Any]) -> Any:
    return (await client.admin("GET", f"/scripts/{script['id']}/logs")).json["items"]


async def kept(client: Client, script: dict[str, Any], status: int = 200) -> tuple[object, object]:
    """Execute the script, and return the bodies that are on record."""
    path = f"/api/v1/execute/{script['id']}?status={status}"
    assert (await client("POST", path, json={"n": 1})).status == status
    record = (await logged(client, script))[0]
    return record["request"]["body"], record["response"]["body"]


async def test_bodies_are_recorded_as_script_and_app_say_from_the_next_request(client: Client) -> None:
    script = await client.script(ECHO)
    path, body = f"/scripts/{script['id']}", '{"n": 1}'
    assert await kept(client, script) == (None, None)
    assert await kept(client, script, 500) == (body, '{"n":1}')
    changed = await client.admin("PATCH", "/apps/default/settings", {"record_bodies": "all"})
    assert (changed.status, changed.json["record_bodies"]) == (200, "all")
    assert await kept(client, script) == (body, '{"n":1}')
    assert (await client.admin("PATCH", path, {"record_bodies": "none"})).json["record_bodies"] == "none"
    assert await kept(client, script, 500) == (None, None)
    assert (await client.admin("PATCH", path, {"record_bodies": None})).json["record_bodies"] is None
    assert await kept(client, script) == (body, '{"n":1}')
    await client.admin("PATCH", "/apps/default/settings", {"record_bodies": None})
    assert await kept(client, script) == (None, None)


@pytest.mark.parametrize("path", ["/apps/default/settings", "script"])
async def test_an_unknown_rule_is_rejected(client: Client, path: str) -> None:
    if path == "script":
        path = f"/scripts/{(await client.script('1'))['id']}"
    assert (await client.admin("PATCH", path, {"record_bodies": "some"})).status == 422


async def test_viewers_see_figures_and_lines_and_editors_see_bodies(client: Client, worker: Worker) -> None:
    script = await client.script('print("said"); throw "failed"', record_bodies="all")
    await client.execute(script, json={"n": 1}, headers={"X-Own": "theirs"})
    app = script["app_id"]
    paths = (
        f"/apps/default/executions/{(await logged(client, script))[0]['execution_id']}",
        "/apps/default/executions",
        f"/scripts/{script['id']}/logs",
    )
    for role, sees in (("viewer", False), ("editor", True)):
        person = await worker.person(role, "member")
        await client.admin("PUT", f"/apps/{app}/members/{role}", {"role": role})
        reader = Client(client._session, client.port, client.streams)
        reader.token = await worker.session_of(person)
        records = [(await reader.admin("GET", path)).json for path in paths]
        async with reader.follow("/apps/default/executions:follow", "0") as events:
            streamed = await anext(event async for event in events if event.data)
        texts = [str(record) for record in records] + [str(streamed.data)]
        for text in texts:
            assert ("theirs" in text) == sees
            assert ('"n": 1' in text or '\\\\"n\\\\": 1' in text or '\\"n\\": 1' in text) == sees
            assert "said" in text
            assert "failed" in text


SPELLINGS = {
    "json field": ("application/json", '{{"a": "{token}"}}'),
    "json name": ("application/json", '{{"{token}": 1}}'),
    "json escapes": ("application/json", '{{"a": "pi\\u0073_{bare}"}}'),
    "form field": ("application/x-www-form-urlencoded", "a={token}&b=1"),
    "form name": ("application/x-www-form-urlencoded", "{token}=1&b=1"),
    "form percent": ("application/x-www-form-urlencoded", "a=pi%2573_{bare}"),
    "multipart": (
        "multipart/form-data; boundary=XX",
        '--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\n{token}\r\n--XX--\r\n',
    ),
    "text": ("text/plain", "my key is {token}, thanks"),
    "basic": ("text/plain", "Basic {basic}"),
}


@pytest.mark.parametrize("kind", SPELLINGS)
async def test_no_token_in_a_body_is_on_record_whatever_the_script_does(client: Client, kind: str) -> None:
    token = str(client.token)
    bare, basic = token.removeprefix("pis_"), b64encode(f"{token}:".encode()).decode()
    content_type, body = SPELLINGS[kind]
    script = await client.script(FAILS, record_bodies="all")
    sent = body.format(token=token, bare=bare, basic=basic).encode()
    answer = await client.execute(script, data=sent, headers={"Content-Type": content_type})
    assert answer.status == 502
    record = str((await logged(client, script))[0])
    assert bare not in record
    assert basic not in record


async def test_secrets_are_redacted_in_request_response_and_lines(client: Client) -> None:
    source = """
    log::info("login", #{ password: ctx.request.body.password });
    #{ statusCode: 200, headers: #{ "x-auth-token": "s3cr3t", "location": "/next?session_id=s3cr3t" },
       body: #{ access_token: "s3cr3t", user: "ada" } }
    """
    script = await client.script(source, record_bodies="all")
    path = f"/api/v1/execute/{script['id']}?token=s3cr3t&q=visible"
    await client("POST", path, json={"password": "s3cr3t", "user": "ada"}, headers={"X-Api-Key": "s3cr3t"})
    record = (await logged(client, script))[0]
    assert "s3cr3t" not in str(record)
    assert record["request"]["query"] == {"token": "[redacted]", "q": "visible"}
    assert record["request"]["body"] == '{"password": "[redacted]", "user": "ada"}'
    assert record["response"]["body"] == '{"access_token":"[redacted]","user":"ada"}'
    assert record["logs"][0]["data"] == {"password": "[redacted]"}


@pytest.mark.parametrize("ending", ['"done"', 'throw "said"', "loop { }"])
async def test_a_private_run_has_figures_only_on_record(client: Client, ending: str) -> None:
    source = f'log::info("said"); log::private(); log::info("said", #{{ a: "said" }}); {ending}'
    script = await client.script(source, record_bodies="all")
    path = f"/api/v1/execute/{script['id']}?said=said"
    answer = await client("POST", path, data=b"said", headers={"X-Said": "said"})
    assert (answer.status == 200) == (ending == '"done"')
    record = (await logged(client, script))[0]
    assert "said" not in str(record)
    assert (record["omitted"], record["logs_dropped"]) == ("private", 2)
    assert (record["request"], record["response"], record["error"]) == (None, None, None)
    assert (record["status"], record["fuel"] > 0) == (answer.status, True)


async def test_the_log_counts_in_the_usage_of_the_app(client: Client) -> None:
    script = await client.script("1")
    await client.execute(script)
    await logged(client, script)
    usage = (await client.admin("GET", "/apps/default/usage")).json["items"]
    (log,) = (store for store in usage if store["store"] == "executions")
    assert (log["rows"], log["rows_limit"], log["bytes_limit"]) == (1, None, 256 << 20)
    assert 500 < log["bytes"] < 5000


async def test_a_flood_of_large_records_keeps_figures(client: Client, worker: Worker) -> None:
    script = await client.script('throw "x"', record_bodies="all")
    worker.platform.executor.recorder._rate = LogRate(1)  # type: ignore[union-attr]
    body = b"x" * 65_536
    for _ in range(8):
        await asyncio.gather(*(client.execute(script, data=body) for _ in range(10)))
    records = (await client.admin("GET", "/apps/default/executions?limit=80")).json
    assert len(records["items"]) == 80
    omitted = [record for record in records["items"] if record["omitted"] == "rate"]
    assert 5 <= len(omitted) <= 20
    assert all(record["request"]["body"] is None and record["error"] for record in omitted)
