"""Promises of routes over HTTP: what reaches the script, and responses without a matching route."""

from __future__ import annotations

from typing import Any

import pytest

from picloud.core.errors import Unavailable
from picloud.execution.delivery import ResponseDelivery
from picloud.execution.invocation import Invocation
from picloud.identity.principal import Principal
from picloud.sandbox.outcome import Outcome
from tests.integration.conftest import Worker
from tests.integration.http.conftest import Client

SEEN = """
let asked = ctx.request;
#{ path: asked.path, params: asked.params, rest: asked.rest, method: asked.method }
"""


async def routes(client: Client, *patterns: str) -> None:
    """Make routes, written as `METHOD path` or `METHOD host path`, to a script that tells what it saw."""
    script = await client.script(SEEN)
    for pattern in patterns:
        method, *host, path = pattern.split()
        body = {"script_id": script["id"], "method": None if method == "*" else method, "path": path}
        if host:
            body["host"] = host[0]
        answer = await client.admin("POST", "/apps/default/routes", body)
        assert answer.status == 201, answer.body


@pytest.mark.parametrize(
    ("sent", "path", "params", "rest"),
    [
        ("/users/7", "/users/7", {"id": "7"}, ""),
        ("/users/caf%C3%A9%20x", "/users/café x", {"id": "café x"}, ""),
        ("/users/a%2Fb", "/users/a/b", {"id": "a/b"}, ""),
        ("/users/a%2fb%2F", "/users/a/b/", {"id": "a/b/"}, ""),
        ("/users/%3Aid", "/users/:id", {"id": ":id"}, ""),
        ("/users/7/files/a/b%2Fc/", "/users/7/files/a/b/c/", {"id": "7"}, "a/b/c/"),
        ("/users/7/files/", "/users/7/files/", {"id": "7"}, ""),
        ("/%75sers/7?id=8", "/users/7", {"id": "7"}, ""),
    ],
)
async def test_params_and_rest_reach_the_script_decoded(
    client: Client, sent: str, path: str, params: dict[str, str], rest: str
) -> None:
    await routes(client, "GET /users/:id", "GET /users/:id/files/*")
    answer = await client("GET", sent)
    assert answer.status == 200, answer.body
    assert answer.json == {"path": path, "params": params, "rest": rest, "method": "GET"}


@pytest.mark.parametrize(
    "path",
    ["/users/../x", "/users/%2e%2E/x", "/users/.", "/users/a%00", "/users/%ff", "/users/%C3", "/users/%zz"],
)
async def test_a_path_that_cannot_be_read_is_a_bad_request_even_where_a_parameter_would_take_it(
    client: Client, path: str
) -> None:
    await routes(client, "* /users/:id", "* /*")
    head = await client.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert head.startswith(b"HTTP/1.1 400"), head


@pytest.mark.parametrize("path", ["/users", "/users/", "/users//files/x", "/users/7/files", "/users/7/"])
async def test_no_parameter_is_empty_and_no_prefix_its_base(client: Client, path: str) -> None:
    await routes(client, "GET /users/:id", "GET /users/:id/files/*")
    assert (await client("GET", path)).status == 404


async def test_a_catch_all_matches_everything_except_reserved_paths(client: Client) -> None:
    await routes(client, "* /*", "GET /:page")
    for path, rest in (("/", ""), ("/a/b", "a/b"), ("/apis/x", "apis/x")):
        assert (await client("GET", path)).json["rest"] == rest
    assert (await client("GET", "/about")).json["params"] == {"page": "about"}
    assert (await client("GET", "/hello")).json["message"] == "Hello, world!"
    assert (await client("GET", "/healthz")).body == b"ok\n" or (
        await client("GET", "/healthz")
    ).status == 200
    for path in ("/admin", "/api/x", "/realtime/x", "/admin/x"):
        assert (await client("GET", path)).status == 404


async def test_methods(client: Client) -> None:
    await routes(client, "GET /a/:x", "POST /a/b", "PUT /a/*", "HEAD /h", "GET /h", "* /any")
    answered = {method: await client(method, "/a/b") for method in ("GET", "POST", "PUT")}
    assert {method: answer.json["method"] for method, answer in answered.items()} == {
        method: method for method in answered
    }
    wrong = await client("DELETE", "/a/b")
    assert (wrong.status, wrong.error) == (405, "method_not_allowed")
    assert wrong.headers["Allow"] == "GET, HEAD, OPTIONS, POST, PUT"
    asked = await client("OPTIONS", "/a/b")
    assert (asked.status, asked.body, asked.headers["Allow"]) == (204, b"", wrong.headers["Allow"])
    head = await client("HEAD", "/a/b")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["Content-Length"]) > 0
    assert (await client("HEAD", "/any")).status == 200
    assert (await client("OPTIONS", "/any")).json["method"] == "OPTIONS"
    assert (await client("OPTIONS", "/nothing")).status == 404


async def test_hosts_fall_through_to_the_next_only_where_no_path_matches(client: Client) -> None:
    for claim in ("api.x.t", "*.x.t"):
        await client.admin("POST", "/apps/default/domains", {"pattern": claim})
    await routes(
        client,
        "GET api.x.t /:strict",
        "GET :sub.x.t /:wild",
        "GET :sub.x.t /w/:wild",
        "GET /:any",
        "GET /w/w/w",
    )

    async def params(host: str, path: str = "/a") -> dict[str, Any]:
        return dict((await client("GET", path, host=host)).json["params"])

    assert await params("API.X.T.:80") == {"strict": "a"}
    assert await params("www.x.t") == {"wild": "a", "sub": "www"}
    assert await params("b.a.x.t") == {"wild": "a", "sub": "b.a"}
    assert await params("localhost") == {"any": "a"}
    assert await params("api.x.t", "/w/1") == {"wild": "1", "sub": "api"}
    assert await params("api.x.t", "/w/w/w") == {}
    assert (await client("POST", "/a", host="api.x.t")).status == 405
    assert await params("x.t") == {"any": "a"}  # nobody else has claimed a host
    await client.admin("POST", "/apps", {"slug": "shop", "name": "Shop"})
    await client.admin("POST", "/apps/shop/domains", {"pattern": "shop.t"})
    assert (await client("GET", "/a", host="x.t")).status == 404


PRINCIPALS = "#{ cookie: ctx.request.headers.cookie, authorization: ctx.request.headers.authorization }"


@pytest.mark.parametrize(
    ("cookies", "seen"),
    [
        ("picloud_session={token}", None),
        ("a=1; picloud_session={token}; b=2", "a=1; b=2"),
        ("a=1; __Host-picloud_session={token}", "a=1"),
        ("picloud_session=x;a=1;picloud_session={token}", "a=1"),
        ("my_picloud_session=1; a=picloud_session", "my_picloud_session=1; a=picloud_session"),
        ("a=1", "a=1"),
    ],
)
async def test_no_script_sees_a_session_of_picloud(client: Client, cookies: str, seen: str | None) -> None:
    await client.route(await client.script(PRINCIPALS), "/seen")
    token = client.token
    assert token is not None
    answer = await client("GET", "/seen", headers={"Cookie": cookies.format(token=token)})
    assert answer.json == {"cookie": seen, "authorization": None}
    assert token.encode() not in answer.body


async def test_a_route_matches_for_every_caller(client: Client) -> None:
    good = client.token
    for token in (good, None, "pis_wrong", "pic_wrong", "their-own", ""):
        client.token = token
        assert (await client("GET", "/hello")).status == 200
    client.token = None
    for headers in (
        {"Cookie": f"picloud_session={good}"},
        {"Cookie": "picloud_session=pis_wrong"},
        {"Cookie": f"picloud_session={good}", "Origin": "https://evil.example"},
        {"Authorization": "Basic eDp5"},
    ):
        assert (await client("GET", "/hello", headers=headers)).status == 200


async def test_an_unavailable_database_makes_the_caller_anonymous(
    client: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    execute = worker.platform.executor.execute

    async def watched(invocation: Invocation, delivery: ResponseDelivery) -> Outcome:
        seen.append(invocation.principal)
        return await execute(invocation, delivery)

    async def away(*_: object) -> None:
        raise Unavailable

    monkeypatch.setattr(worker.platform.executor, "execute", watched)
    assert (await client("GET", "/hello")).status == 200
    assert isinstance(seen.pop(), Principal)
    evil = {
        "Origin": "https://evil.example",
        "Cookie": f"picloud_session={client.token}",
        "Authorization": "",
    }
    await client.route(await client.script("1"), "/write", "POST")
    assert (await client("POST", "/write", headers=evil)).status == 200
    assert seen.pop() is None  # a page of another origin made the browser send the cookie
    monkeypatch.setattr(worker.platform.principals, "of_token", away)
    assert (await client("GET", "/hello")).status == 200
    assert seen.pop() is None
