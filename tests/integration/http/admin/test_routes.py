"""Promises of http/admin/routes.py and control/routes.py."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from picloud.control import routes as routes_service
from tests.integration.conftest import Worker
from tests.integration.http.conftest import Answer, Client

ROUTES = "/apps/default/routes"


async def make(
    client: Client, script: dict[str, Any], path: str, app: str = "default", **fields: Any
) -> Answer:
    body = {"script_id": script["id"], "method": "GET", "path": path, **fields}
    return await client.admin("POST", f"/apps/{app}/routes", body)


async def test_a_route_is_created_shown_updated_listed_and_deleted(client: Client) -> None:
    script, other = await client.script("1", name="one"), await client.script("2", name="two")
    made = (await make(client, script, "/users/:id", method="get")).json
    shown = ("GET", "any", "any", "/users/:id", "param", "sync")
    fields = ("method", "host", "host_kind", "path", "path_kind", "dispatch_mode")
    assert tuple(made[name] for name in fields) == shown
    one = f"{ROUTES}/{made['id']}"
    assert (await client.admin("GET", one)).json == made

    changes = {"path": "/users/*", "method": None, "script_id": other["id"]}
    changed = await client.admin("PATCH", one, changes)
    assert changed.status == 200, changed.body
    assert changed.json | {"updated_at": made["updated_at"]} == made | changes | {"path_kind": "prefix"}
    assert (await client.admin("PATCH", one, {})).json["path"] == "/users/*"
    assert (await client("POST", "/users/1")).body == b"2"

    listed = (await client.admin("GET", ROUTES)).json["items"]
    assert [route["path"] for route in listed] == ["/hello", "/users/*"]
    of_script = await client.admin("GET", f"/scripts/{other['id']}/routes")
    assert [route["id"] for route in of_script.json["items"]] == [made["id"]]
    assert (await client.admin("GET", f"/scripts/{script['id']}/routes")).json["items"] == []

    assert (await client.admin("DELETE", one)).status == 204
    for method, body in (("GET", None), ("DELETE", None), ("PATCH", {})):
        assert (await client.admin(method, one, body)).status == 404


async def test_a_route_of_another_app_is_not_found(client: Client) -> None:
    route = await client.route(await client.script("1"), "/x")
    await client.admin("POST", "/apps", {"slug": "shop", "name": "Shop"})
    for method, body in (("GET", None), ("PATCH", {"path": "/y"}), ("DELETE", None)):
        for route_id in (route["id"], str(uuid4()), "x", "%00"):
            answer = await client.admin(method, f"/apps/shop/routes/{route_id}", body)
            assert (answer.status, answer.error) == (404, "not_found")
    assert (await client.admin("GET", f"{ROUTES}/{route['id']}")).json == route


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"path": "/a:b"}, 422, "path"),
        ({"path": None}, 422, "path"),
        ({"host": None}, 422, "host"),
        ({"host": "no.claim"}, 422, "host"),
        ({"host": "*.localhost"}, 422, "host"),
        ({"method": "BREW"}, 422, "method"),
        ({"dispatch_mode": "async"}, 422, "dispatch_mode"),
        ({"dispatch_mode": "later"}, 422, "dispatch_mode"),
        ({"path_kind": "exact"}, 422, "path_kind"),
        ({"script_id": "x"}, 404, None),
        ({"path": "/taken"}, 409, None),
    ],
)
async def test_an_invalid_route_is_rejected_and_changes_nothing(
    client: Client, changes: dict[str, Any], status: int, field: str | None
) -> None:
    script = await client.script("1")
    await client.route(script, "/taken")
    route = await client.route(script, "/x")
    for answer in (
        await client.admin("PATCH", f"{ROUTES}/{route['id']}", changes),
        await make(client, script, **{"path": "/y", **changes}),
    ):
        assert answer.status == status, answer.body
        if field is not None:
            assert answer.details["field"] == field
    assert (await client.admin("GET", f"{ROUTES}/{route['id']}")).json == route


async def test_a_route_needs_an_endpoint(client: Client) -> None:
    module = await client.script("fn f() { 1 }", name="m", kind="module")
    route = await client.route(await client.script("1"), "/x")
    for answer in (
        await make(client, module, "/y"),
        await client.admin("PATCH", f"{ROUTES}/{route['id']}", {"script_id": module["id"]}),
        await client.admin("POST", f"{ROUTES}:check", {"script_id": module["id"], "path": "/y"}),
    ):
        assert (answer.status, answer.details["field"]) == (422, "script_id")


async def test_a_parameter_cannot_be_in_host_and_path(client: Client) -> None:
    await client.admin("POST", "/apps/default/domains", {"pattern": "*.x.t"})
    answer = await make(client, await client.script("1"), "/:who", host=":who.x.t")
    assert (answer.status, answer.details["field"]) == (422, "path")


async def test_a_route_conflicts_with_all_routes_of_its_requests(client: Client) -> None:
    script = await client.script("1")
    first, second = await client.route(script, "/a/:x/b"), await client.route(script, "/a/:x/c")
    refused = await make(client, script, "/a/:y/:z")
    assert (refused.status, refused.error) == (409, "conflict")
    assert refused.details["route"] == first
    assert refused.details["routes"] == [first, second]
    checked = await client.admin(
        "POST", f"{ROUTES}:check", {"script_id": script["id"], "method": "GET", "path": "/a/:y/:z"}
    )
    assert checked.json == {"ok": False, "conflicts": [first, second]}
    assert (await make(client, script, "/a/:y/:z", method=None)).status == 201
    # In its own place a route does not conflict with itself.
    body = {"script_id": script["id"], "method": "GET", "path": "/a/:q/b"}
    alone = await client.admin("POST", f"{ROUTES}:check", {**body, "route_id": first["id"]})
    assert alone.json == {"ok": True, "conflicts": []}
    renamed = await client.admin("PATCH", f"{ROUTES}/{first['id']}", {"path": "/a/:q/b"})
    assert renamed.json["path"] == "/a/:q/b"


async def test_concurrent_changes_cannot_create_conflicting_routes(client: Client) -> None:
    script = await client.script("1")
    routes = [await client.route(script, f"/{n}") for n in range(4)]
    answers = await asyncio.gather(
        *(client.admin("PATCH", f"{ROUTES}/{route['id']}", {"path": "/same"}) for route in routes)
    )
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]


async def test_a_script_can_be_deleted_while_routes_to_it_are_made(client: Client) -> None:
    """Both lock the app first: neither waits for the other for ever."""
    for turn in range(5):
        script = await client.script("1", name=f"s{turn}")
        await client.route(script, f"/{turn}")
        deleted, *made = await asyncio.gather(
            client.admin("DELETE", f"/scripts/{script['id']}?force=true"),
            *(make(client, script, f"/{turn}/{n}") for n in range(4)),
        )
        assert deleted.status == 204
        assert {answer.status for answer in made} <= {201, 404}


async def test_shapes_above_the_limit_are_rejected(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_service, "MAX_SHAPES", 2)
    script = await client.script("1")
    for path in ("/a/:x", "/a/:x/b", "/b/:y", "/exact"):
        assert (await make(client, script, path)).status == 201
    refused = await make(client, script, "/a/*")
    assert (refused.status, refused.details["field"], refused.details["limit"]) == (422, "path", 2)
    await client.admin("POST", "/apps/default/domains", {"pattern": "x.t"})
    assert (await make(client, script, "/a/*", host="x.t")).status == 201


async def test_routes_above_the_limit_of_an_app_are_rejected(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes_service, "MAX_ROUTES", 3)
    script = await client.script("1")
    routes = [await client.route(script, f"/{n}") for n in range(2)]
    refused = await make(client, script, "/more")
    assert (refused.status, refused.details["limit"]) == (409, 3)
    await client.admin("DELETE", f"{ROUTES}/{routes[0]['id']}")
    assert (await make(client, script, "/more")).status == 201


async def test_a_route_within_the_apps_claims_only(client: Client) -> None:
    script = await client.script("1")
    await client.admin("POST", "/apps", {"slug": "shop", "name": "Shop"})
    await client.admin("POST", "/apps/shop/domains", {"pattern": "shop.t"})
    for claim in ("x.t", "*.w.t"):
        await client.admin("POST", "/apps/default/domains", {"pattern": claim})
    for host, status in (
        ("X.t", 201),
        ("a.w.t", 201),
        ("a.b.w.t", 201),
        ("*.w.t", 201),
        (":who.b.w.t", 201),
        ("w.t", 422),
        ("*.x.t", 422),
        ("*.t", 422),
        ("shop.t", 422),
    ):
        answer = await make(client, script, "/a", host=host)
        assert answer.status == status, (host, answer.body)
        if status == 422:
            assert answer.details["field"] == "host"


ANY, VERY, WILD = "a route of any host", "a route of this very host", "a route of a wildcard host"


@pytest.mark.parametrize(
    ("request_line", "path", "params", "rest", "reason"),
    [
        ("GET http://localhost/hi?x=1", "/hi", {}, "", f"{ANY} whose path is exactly this, for GET"),
        (
            "head http://LOCALHOST:8080/hi",
            "/hi",
            {},
            "",
            f"{ANY} whose path is exactly this, for GET, which also matches HEAD",
        ),
        ("GET /hi", "/hi", {}, "", f"{ANY} whose path is exactly this, for GET"),
        (
            "PUT https://localhost/users/a%2Fb",
            "/users/:id",
            {"id": "a/b"},
            "",
            f"{ANY} with parameters, for any method",
        ),
        (
            "GET https://me.w.t/files/a/b",
            "/files/*",
            {"who": "me"},
            "a/b",
            f"{WILD} for all below a path, for GET",
        ),
        ("GET https://x.w.t/files/a", "/files/:name", {"name": "a"}, "", f"{VERY} with parameters, for GET"),
    ],
)
async def test_the_route_of_a_url_is_returned_with_the_reason(
    client: Client, request_line: str, path: str, params: dict[str, str], rest: str, reason: str
) -> None:
    script = await client.script("1")
    await client.admin("POST", "/apps/default/domains", {"pattern": "*.w.t"})
    await make(client, script, "/hi")
    await make(client, script, "/users/:id", method=None)
    await make(client, script, "/files/*", host=":who.w.t")
    await make(client, script, "/files/:name", host="x.w.t")
    method, url = request_line.split()
    answer = (await client.admin("POST", f"{ROUTES}:match", {"method": method, "url": url})).json
    assert answer["route"]["path"] == path
    assert (answer["params"], answer["rest"], answer["reason"]) == (params, rest, reason)


@pytest.mark.parametrize(
    ("request_line", "reason"),
    [
        ("POST http://localhost/hi", "the path matches with other methods only: GET, HEAD, OPTIONS"),
        ("GET http://localhost/nothing", "no route has this path"),
        ("GET http://localhost", "no route has this path"),
        ("GET http://elsewhere.t/hello", "the app has not claimed the host"),
        ("GET http://shop.t/hello", "the app has not claimed the host"),
        ("GET http://localhost/api/v1/x", "the path is reserved for PiCloud itself"),
        ("GET http://localhost/a/../b", "a bad request: the path holds a '.' or '..' segment"),
        ("GET hello", "a bad request: a path starts with '/'"),
    ],
)
async def test_the_reason_why_no_route_matches_is_returned(
    client: Client, request_line: str, reason: str
) -> None:
    await client.route(await client.script("1"), "/hi")
    await client.admin("POST", "/apps", {"slug": "shop", "name": "Shop"})
    await client.admin("POST", "/apps/shop/domains", {"pattern": "shop.t"})
    method, url = request_line.split()
    answer = await client.admin("POST", f"{ROUTES}:match", {"method": method, "url": url})
    assert answer.json == {"route": None, "params": {}, "rest": "", "reason": reason}


@pytest.mark.parametrize("url", ["", "http://", "ftp://localhost/x", "http://[::1/x", "//localhost/x"])
async def test_an_invalid_url_is_422(client: Client, url: str) -> None:
    answer = await client.admin("POST", f"{ROUTES}:match", {"method": "GET", "url": url})
    assert (answer.status, answer.details["field"]) == (422, "url")


async def test_every_change_of_a_route_is_in_the_audit_log(client: Client, worker: Worker) -> None:
    route = await client.route(await client.script("1"), "/x")
    await client.admin("PATCH", f"{ROUTES}/{route['id']}", {"path": "/y"})
    await client.admin("DELETE", f"{ROUTES}/{route['id']}")
    rows = await worker.database.fetch(
        "SELECT action, before->>'path' AS before, after->>'path' AS after FROM audit_log "
        "WHERE target = $1 ORDER BY id",
        route["id"],
    )
    assert [tuple(row) for row in rows] == [
        ("route.create", None, "/x"),
        ("route.update", "/x", "/y"),
        ("route.delete", "/y", None),
    ]
