"""Promises of http/public/routes.py: which script answers a request, and what reaches the client."""

from __future__ import annotations

import asyncio
import contextlib
import json
from base64 import b64encode
from urllib.parse import quote
from uuid import UUID

import pytest

from tests.integration.conftest import Worker
from tests.integration.http.conftest import Client, until

ECHO = """
let seen = #{};
for name in ["method", "path", "query", "headers", "rest", "params", "body"] {
    seen[name] = ctx.request[name];
}
seen
"""


async def test_a_fresh_instance_says_hello_on_localhost(anyone: Client) -> None:
    answer = await anyone("GET", "/hello")
    assert answer.status == 200
    assert answer.json["message"] == "Hello, world!"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Execution-Id"] == answer.json["execution_id"]
    assert answer.headers["X-Request-Id"]
    named = await anyone("GET", "/hello?name=Ada%20L", host="LOCALHOST:8123")
    assert named.json["message"] == "Hello, Ada L!"


async def test_hello_accepts_every_method_and_a_name_in_the_body(anyone: Client) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        assert (await anyone(method, "/hello")).status == 200
    for body, name in (({"name": "Ada"}, "Ada"), ({}, "world"), ([1], "world"), ("Ada", "world")):
        assert (await anyone("POST", "/hello", json=body)).json["message"] == f"Hello, {name}!"
    assert (await anyone("POST", "/hello?name=Bo", json={"name": "Ada"})).json["message"] == "Hello, Bo!"


async def test_the_default_app_serves_unclaimed_hosts_until_another_app_claims_one(client: Client) -> None:
    for host in ("other.example", "192.0.2.7:8080", "[::1]:8080"):
        assert (await client("GET", "/hello", host=host)).status == 200
    assert (await client("GET", "/hello", host="a b")).status == 400
    await client.admin("POST", "/apps", {"slug": "shop", "name": "Shop"})
    assert (await client("GET", "/hello", host="other.example")).status == 200
    domain = (await client.admin("POST", "/apps/shop/domains", {"pattern": "shop.t"})).json
    assert (await client("GET", "/hello", host="other.example")).status == 404
    assert (await client("GET", "/hello")).status == 200
    await client.admin("DELETE", f"/apps/shop/domains/{domain['id']}")
    assert (await client("GET", "/hello", host="other.example")).status == 200


async def test_an_unknown_host_is_reported(client: Client, anyone: Client) -> None:
    await client.admin("POST", "/apps", {"slug": "shop", "name": "Shop"})
    await client.admin("POST", "/apps/shop/domains", {"pattern": "shop.t"})
    answer = await anyone("GET", "/hello", host="other.example")
    assert (answer.status, answer.error) == (404, "not_found")
    assert "other.example" in answer.json["error"]["message"]
    assert "picloud domains add" in answer.json["error"]["message"]
    assert answer.json["error"]["request_id"] == answer.headers["X-Request-Id"]
    assert "X-Execution-Id" not in answer.headers


async def test_an_unknown_path_and_a_wrong_method_are_reported(client: Client) -> None:
    await client.route(await client.script("1"), "/get")
    assert (await client("GET", "/nothing")).status == 404
    wrong = await client("POST", "/get")
    assert (wrong.status, wrong.error, wrong.headers["Allow"]) == (
        405,
        "method_not_allowed",
        "GET, HEAD, OPTIONS",
    )


async def test_head_is_served_by_the_get_route_without_a_body(anyone: Client) -> None:
    answer = await anyone("HEAD", "/hello")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0
    assert answer.headers["X-Execution-Id"]
    assert (await anyone("HEAD", "/nothing")).body == b""


async def test_the_script_sees_the_request_decoded_but_no_platform_credential(client: Client) -> None:
    await client.route(await client.script(ECHO), "/a%2Fb/c d", None)
    answer = await client(
        "PUT",
        "/a%2Fb/c%20d?x=1&x=2&y=%C3%A9+z&empty=",
        headers={
            "X-Thing": "Ü",
            "Content-Type": "application/json",
            "Authorization": f"Bearer {client.token}",
        },
        data=b'{"n": [1, 2.5, null]}',
    )
    assert answer.status == 200, answer.body
    seen = answer.json
    assert (seen["method"], seen["path"], seen["rest"], seen["params"]) == ("PUT", "/a/b/c d", "", {})
    assert seen["query"] == {"x": "2", "y": "é z", "empty": ""}
    assert seen["body"] == {"n": [1, 2.5, None]}
    assert seen["headers"]["x-thing"] == "Ü"
    assert "authorization" not in seen["headers"]


@pytest.mark.parametrize(
    ("name", "value", "left"),
    [
        ("Authorization", "Bearer\t{}", None),
        ("Authorization", "Basic x, Bearer {}", None),
        ("Authorization", "Token {}", None),
        ("Proxy-Authorization", "Bearer {}", None),
        ("X-Api-Key", "{}", None),
        ("Referer", "http://localhost/?token={}", None),
        ("Cookie", "picloud_session={}", None),
        ("Cookie", "a=1; picloud_session ={}; b=2", "a=1; b=2"),
        ("Cookie", "a=1; __Host-picloud_session=x", "a=1"),
        ("Cookie", "a=1; PICLOUD_SESSION={}", "a=1"),
        ("Cookie", "theirs=1, picloud_session={}; b=2", "b=2"),
        ("Cookie", "{}=1; b=2", "b=2"),
        ("Cookie", "a=pi%73_{bare}; b=2", "b=2"),
        ("Authorization", "Basic {basic}", None),
        ("X-Thing", "pi%2573_{bare}", None),
        ("X-Thing", '{{"key": "pi\\u0073_{bare}"}}', None),
        ("pis_{bare}", "x", None),
        ("X-Request-Id", "{}", None),
    ],
)
async def test_a_token_never_reaches_a_script(
    client: Client, name: str, value: str, left: str | None
) -> None:
    await client.route(await client.script(ECHO), "/echo")
    token, client.token = str(client.token), None
    spelled = {"bare": token.removeprefix("pis_"), "basic": b64encode(f"{token}:".encode()).decode()}
    answer = await client("GET", "/echo", headers={name.format(**spelled): value.format(token, **spelled)})
    assert answer.json["headers"].get(name.format(**spelled).lower()) == left
    assert token.lower() not in (answer.body.decode() + str(answer.headers)).lower()


async def test_no_token_in_a_query_reaches_a_script_or_its_log(client: Client) -> None:
    script = await client.script(ECHO)
    await client.route(script, "/echo")
    sent = f"a=1&token={client.token}&auth=Bearer%20{client.token}&{client.token}=1&t=pi%2573_{client.token}"
    sent += f"&b={b64encode(f'x{client.token}'.encode()).decode()}"
    answer = await client("GET", f"/echo?{sent}")
    assert answer.json["query"] == {"a": "1"}
    logged = await client.admin("GET", f"/scripts/{script['id']}/logs")
    assert str(client.token).encode() not in logged.body


@pytest.mark.parametrize("path", ["/hello/{}", "/{}", "/a%2Fpi%73_{}", "/:{}/x"])
async def test_a_token_in_a_path_is_rejected_first(client: Client, path: str) -> None:
    token = str(client.token)
    path = path.format(token.removeprefix("pis_") if "pi%73_" in path else token)
    client.token = None
    answer = await client("GET", path)
    assert (answer.status, answer.json["error"]["code"]) == (400, "request_invalid")
    assert "Authorization header" in answer.json["error"]["message"]
    assert token.encode() not in answer.body


async def test_a_script_cannot_set_the_cookie_of_a_session(client: Client) -> None:
    source = '#{statusCode: 200, body: "", headers: #{"Set-Cookie": ctx.request.query.c}}'
    await client.route(await client.script(source), "/set")
    ours, theirs = "picloud_session=x;Path=/", "theirs=x"
    assert "Set-Cookie" not in (await client("GET", f"/set?c={quote(ours)}")).headers
    assert (await client("GET", f"/set?c={quote(theirs)}")).headers["Set-Cookie"] == theirs


async def test_a_credential_that_is_the_scripts_own_reaches_it(client: Client) -> None:
    await client.route(await client.script(ECHO), "/echo")
    answer = await client("GET", "/echo", headers={"Authorization": "Bearer their-own-token"})
    assert answer.json["headers"]["authorization"] == "Bearer their-own-token"


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("café €", "café €"),
        (b"caf\xe9", "caf\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        ("日本", "日本"),
    ],
)
async def test_header_text_is_utf8_both_ways(client: Client, sent: str | bytes, seen: str) -> None:
    source = (
        '#{ statusCode: 200, headers: #{ "x-echo": ctx.request.headers.x }, body: ctx.request.headers.x }'
    )
    await client.route(await client.script(source), "/x")
    sent = sent.encode() if isinstance(sent, str) else sent
    answer = await client.raw(b"GET /x HTTP/1.1\r\nHost: localhost\r\nX: %s\r\n\r\n" % sent, whole=True)
    assert answer.startswith(b"HTTP/1.1 200")
    assert f"\r\nx-echo: {seen}\r\n".encode() in answer
    assert answer.endswith(f"\r\n\r\n{seen}".encode())


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("José", "José"),
        ("Jos%C3%A9", "José"),
        ("J%6fs%c3%a9+%E2%82%AC", "José €"),
        (b"Jos\xe9", "Jos\ufffd"),
        ("Jos%E9", "Jos\ufffd"),
        ("%ED%A0%80", "\ufffd\ufffd\ufffd"),
        ("%zz%", "%zz%"),
    ],
)
async def test_a_query_is_utf8_raw_or_encoded_and_never_refused_for_its_text(
    client: Client, query: str | bytes, seen: str
) -> None:
    await client.route(await client.script("ctx.request.query"), "/q")
    sent = query.encode() if isinstance(query, str) else query
    target = b"/q?name=%s&%s=1" % (sent, sent)
    answer = await client.raw(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % target, whole=True)
    assert answer.startswith(b"HTTP/1.1 200")
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"name": seen, seen: "1"}


async def test_a_raw_path_is_that_of_its_encoding(client: Client) -> None:
    await client.route(await client.script("ctx.request.path"), "/käse")
    for path in ("/käse", "/k%C3%A4se"):
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        assert (await client.raw(request, whole=True)).endswith('"/käse"'.encode())


@pytest.mark.parametrize("path", ["/a/../hello", "/./hello", "/%2e%2e/hello", "/hel%00lo", "/%ff", "/%zz"])
async def test_a_path_that_cannot_be_read_is_a_bad_request(anyone: Client, path: str) -> None:
    head = await anyone.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert head.startswith(b"HTTP/1.1 400"), head
    assert b"application/json" in head


async def test_a_proxys_absolute_target_names_the_host(anyone: Client) -> None:
    head = await anyone.raw(b"GET http://localhost/hello HTTP/1.1\r\nHost: other.example\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/nothing",
        "/api/",
        "/api/v2/execute/x",
        "/admin",
        "/admin/x",
        "/metrics/x",
        "/realtime/x",
    ],
)
async def test_unused_reserved_paths_are_404_on_any_host(anyone: Client, path: str) -> None:
    for host in ("localhost", "other.example"):
        answer = await anyone("GET", path, host=host)
        assert (answer.status, answer.error) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/healthz", "GET, HEAD"),
        ("GET", "/api/v1/execute/x", "POST"),
        ("PUT", "/api/v1/admin/apps", "GET, HEAD, POST"),
        ("POST", "/api/v1/admin/scripts/x", "DELETE, GET, HEAD, PATCH"),
    ],
)
async def test_a_wrong_method_on_our_own_paths_names_the_right_ones(
    anyone: Client, method: str, path: str, allowed: str
) -> None:
    answer = await anyone(method, path)
    assert (answer.status, answer.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize(("status", "body"), [(204, b""), (304, b"")])
async def test_statuses_without_a_body_are_sent_without_one(client: Client, status: int, body: bytes) -> None:
    script = await client.script(f'#{{ statusCode: {status}, body: "not to be seen" }}')
    await client.route(script, "/empty")
    answer = await client("GET", "/empty")
    assert (answer.status, answer.body) == (status, body)
    # The connection is still in step: the next request on it is understood.
    assert (await client("GET", "/hello")).status == 200


async def test_a_script_sets_status_headers_and_body(client: Client) -> None:
    source = '#{ statusCode: 418, headers: #{ "x-pot": "tea", "set-cookie": ["a=1", "b=2"] }, body: "short" }'
    await client.route(await client.script(source), "/pot")
    answer = await client("GET", "/pot")
    assert (answer.status, answer.body, answer.headers["X-Pot"]) == (418, b"short", "tea")
    assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_an_edit_is_seen_by_the_next_request(client: Client) -> None:
    script = await client.script('"one"')
    await client.route(script, "/live")
    assert (await client("GET", "/live")).body == b'"one"'
    saved = await client.admin("PATCH", f"/scripts/{script['id']}", {"source": '"two"'})
    assert saved.json["version"] == 2
    assert (await client("GET", "/live")).body == b'"two"'


async def test_a_new_and_a_deleted_route_are_seen_by_the_next_request(client: Client) -> None:
    script = await client.script('"here"')
    assert (await client("GET", "/r")).status == 404
    route = await client.route(script, "/r")
    assert (await client("GET", "/r")).body == b'"here"'
    await client.admin("DELETE", f"/apps/default/routes/{route['id']}")
    assert (await client("GET", "/r")).status == 404


async def test_a_client_that_goes_away_frees_its_slot(client: Client, worker: Worker) -> None:
    script = await client.script(
        "loop {}", sandbox={"max_operations": 10_000_000, "max_fuel": 50_000_000_000}
    )
    await client.route(script, "/spin")
    _, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(b"GET /spin HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(60):
        await until(lambda: worker.admission.running == 1)
        writer.close()
        await until(lambda: worker.admission.running == 0)
    logged = (await client.admin("GET", f"/scripts/{script['id']}/logs")).json["items"]
    assert [entry["outcome"] for entry in logged] == ["cancelled"]


async def test_a_full_gate_returns_503_and_the_admin_api_continues(client: Client, worker: Worker) -> None:
    app_id = (await client.admin("GET", "/apps/default")).json["id"]
    with contextlib.ExitStack() as held:
        for _ in range(worker.admission.share):
            worker.admission.acquire(UUID(app_id))
            held.callback(worker.admission.release, UUID(app_id))
        answer = await client("GET", "/hello")
        assert (answer.status, answer.error, answer.headers["Retry-After"]) == (503, "overloaded", "1")
        assert (await client.admin("GET", "/apps")).status == 200
    assert (await client("GET", "/hello")).status == 200


@pytest.mark.parametrize(
    ("source", "status", "code"),
    [
        ('throw "no"', 502, "script_error"),
        ("nowhere()", 502, "script_error"),
        ("loop {}", 507, "operation_budget"),
        ("#{ statusCode: 99 }", 422, "response_invalid"),
        ('#{ statusCode: 200, headers: #{ "transfer-encoding": "chunked" } }', 422, "response_invalid"),
    ],
)
async def test_a_failing_script_ends_in_the_error_shape(
    client: Client, source: str, status: int, code: str
) -> None:
    await client.route(await client.script(source), "/fails")
    answer = await client("GET", "/fails")
    assert (answer.status, answer.error) == (status, code), answer.body
    assert answer.headers["X-Execution-Id"]
    assert answer.json["error"]["request_id"] == answer.headers["X-Request-Id"]


async def test_an_invalid_json_body_is_a_client_error(client: Client) -> None:
    await client.route(await client.script("ctx.request.body"), "/json", "POST")
    answer = await client("POST", "/json", data=b"{", headers={"Content-Type": "application/json"})
    assert (answer.status, answer.error) == (400, "request_invalid")
