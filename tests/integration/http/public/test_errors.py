"""Who gets the text of an error that a script did not catch."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from picloud.services.quotas import Amount
from tests.integration.conftest import Worker
from tests.integration.http.conftest import Answer, Client

SECRET = "s3cr3t"
HOST = "shop.example.com"
FAILURES = {
    "throw": (f'throw "{SECRET}"', "script_error", "the script failed"),
    "map": (f'throw #{{ code: 42, why: "{SECRET}" }}', "script_error", "the script failed"),
    "runtime": (f"let x = #{{}}; x.{SECRET}()", "script_error", "the script failed"),
    "host call": (
        f'let k = "{SECRET}"; k.pad(600, "x"); kv::collection("c").set(k, 1)',
        "script_error",
        "the script failed",
    ),
    "response": (f'#{{ statusCode: 99, body: "{SECRET}" }}', "response_invalid", None),
    "module": (f'import "{SECRET}" as m; m::f()', "script_error", "the script failed"),
}


@pytest.fixture
async def routed(client: Client) -> Client:
    """A client of an app with a domain; it is not logged in."""
    answer = await client.admin("POST", "/apps/default/domains", {"pattern": HOST})
    assert answer.status == 201
    return client


async def fail(client: Client, source: str, token: str | None, **sent: Any) -> Answer:
    """Call a failing script through a route; `token` is restored afterwards."""
    script = await client.script(source, name=f"s{len(source)}-{id(sent)}")
    await client.route(script, f"/{script['id']}")
    owner, client.token = client.token, token
    try:
        return await client("GET", f"/{script['id']}", **{"host": HOST, **sent})
    finally:
        client.token = owner


@pytest.mark.parametrize("kind", FAILURES)
async def test_an_anonymous_caller_gets_the_code_and_a_request_id_and_a_member_all(
    routed: Client, kind: str
) -> None:
    source, code, message = FAILURES[kind]
    seen = await fail(routed, source, None)
    error = seen.json["error"]
    assert SECRET not in seen.body.decode()
    assert SECRET not in str(seen.headers)
    assert set(error) == {"code", "message", "request_id"}
    assert error["code"] == code
    assert message is None or error["message"] == message
    whole = (await fail(routed, source, routed.token)).json["error"]
    assert (whole["code"], whole["message"] == error["message"]) == (code, False)


async def test_a_user_of_another_app_is_a_visitor(routed: Client, worker: Worker) -> None:
    token = await worker.session_of(await worker.person("grace", "member"))
    assert SECRET not in (await fail(routed, f'throw "{SECRET}"', token)).body.decode()


LOCAL: list[tuple[str, dict[str, str], bool]] = [
    ("localhost", {}, True),
    ("localhost:8123", {}, True),
    ("127.0.0.1:8123", {}, True),
    ("[::1]:8123", {}, True),
    (HOST, {}, False),
    ("localhost.example.com", {}, False),
    ("localhost", {"X-Forwarded-For": "203.0.113.9"}, False),
    ("localhost", {"X-Forwarded-Host": HOST}, False),
    ("localhost", {"x-forwarded-anything": "1"}, False),
    ("localhost", {"Forwarded": "for=203.0.113.9"}, False),
    ("localhost", {"Via": "1.1 proxy"}, False),
    ("localhost", {"X-Real-IP": "203.0.113.9"}, False),
    ("localhost", {"CF-Connecting-IP": "203.0.113.9"}, False),
]


@pytest.mark.parametrize(("host", "headers", "sees"), LOCAL)
async def test_a_caller_on_this_machine_sees_all(
    routed: Client, host: str, headers: dict[str, str], sees: bool
) -> None:
    script = await routed.script(f'throw "{SECRET}"', execute_access="open")
    routed.token = None
    answer = await routed.execute(script, host=host, headers=headers)
    assert answer.status == 502
    assert (SECRET in answer.body.decode()) == sees


async def test_an_app_can_show_its_errors_from_the_next_request(routed: Client) -> None:
    source = f'throw "{SECRET}"'
    for shows in (True, False):
        changed = await routed.admin("PATCH", "/apps/default/settings", {"public_errors": shows})
        assert changed.json["public_errors"] is shows
        assert (SECRET in (await fail(routed, source, None)).body.decode()) == shows


BUDGETS = {
    "fuel_budget": ("loop { }", {"max_fuel": 100_000}),
    "operation_budget": ("loop { }", {"max_operations": 1000}),
    "host_call_budget": ("loop { random::uuid(); }", {"max_host_calls": 3}),
}


@pytest.mark.parametrize("code", BUDGETS)
async def test_texts_of_the_platform_never_reach_visitors(routed: Client, code: str) -> None:
    await routed.admin("PATCH", "/apps/default/settings", {"public_errors": True})
    source, limits = BUDGETS[code]
    script = await routed.script(source, sandbox=limits, execute_access="open")
    routed.token = None
    error = (await routed.execute(script, host=HOST)).json["error"]
    assert (error["code"], set(error)) == (code, {"code", "message", "request_id"})
    assert not any(letter.isdigit() for letter in error["message"])


@pytest.mark.parametrize(
    "source",
    [
        'kv::collection("c").set("k", "a value of more than ten bytes")',
        'try { kv::collection("c").set("k", "more than ten bytes") } catch (e) { throw "wrapped: " + e }',
        'try { kv::collection("c").set("k", "more than ten bytes") } catch (e) { throw #{ why: [e] } }',
    ],
)
async def test_an_exceeded_quota_is_in_the_operators_log_once_and_not_shown(
    routed: Client, worker: Worker, source: str, caplog: pytest.LogCaptureFixture
) -> None:
    worker.platform.quotas._limits = {**worker.platform.quotas._limits, "kv": Amount(0, 10)}
    await routed.admin("PATCH", "/apps/default/settings", {"public_errors": True})
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            seen = await fail(routed, f"{source} // {'x' * number}", None)
            assert (seen.status, seen.json["error"]["message"]) == (502, "the script failed")
    logged = [record for record in caplog.records if "PICLOUD_QUOTA_KV" in record.getMessage()]
    assert len(logged) == 1
    member = await fail(routed, source + " ", routed.token)
    assert "quota" in member.json["error"]["message"]
