"""Promises of the admin API: apps, domains, scripts, routes, the log, limits."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from tests.integration.conftest import Worker
from tests.integration.http.conftest import Client

ENDPOINT = '"x"'
LOGS = 'if ctx.request.body == "fail" { throw "failed" } log::info("ran", #{ n: 1 }); "done"'


async def test_an_app_is_made_listed_and_found_by_id_and_slug(client: Client) -> None:
    made = await client.admin("POST", "/apps", {"slug": "shop", "name": "Shop"})
    assert made.status == 201
    app = made.json
    assert app["my_role"] == "app_admin"
    assert "script.write" in app["my_capabilities"]
    assert app["created_at"].endswith("Z")
    for name in ("shop", app["id"]):
        assert (await client.admin("GET", f"/apps/{name}")).json == app
    assert [one["slug"] for one in (await client.admin("GET", "/apps")).json["items"]] == ["default", "shop"]
    again = await client.admin("POST", "/apps", {"slug": "shop", "name": "Other"})
    assert (again.status, again.error) == (409, "conflict")


@pytest.mark.parametrize("name", ["nowhere", str(uuid4()), "%00", "%ff", "x" * 5000, "..%2fdefault"])
async def test_an_unknown_or_garbage_app_is_404(client: Client, name: str) -> None:
    for path in ("", "/scripts", "/routes", "/domains", "/executions"):
        assert (await client.admin("GET", f"/apps/{name}{path}")).status == 404


async def test_lists_are_cut_into_pages_that_join_up(client: Client) -> None:
    slugs = ["default", *(f"app-{n}" for n in range(5))]
    for slug in slugs[1:]:
        await client.admin("POST", "/apps", {"slug": slug, "name": slug})
    found, path = [], "/apps?limit=2"
    while True:
        page = (await client.admin("GET", path)).json
        found += [app["slug"] for app in page["items"]]
        if page["next_cursor"] is None:
            break
        path = f"/apps?limit=2&cursor={page['next_cursor']}"
    assert found == slugs


async def test_a_claimed_host_is_the_apps_and_no_one_elses(client: Client) -> None:
    await client.admin("POST", "/apps", {"slug": "shop", "name": "Shop"})
    claim = await client.admin("POST", "/apps/shop/domains", {"pattern": "Shop.Example"})
    assert (claim.status, claim.json["pattern"], claim.json["kind"]) == (201, "shop.example", "exact")
    taken = await client.admin("POST", "/apps/default/domains", {"pattern": "shop.example"})
    assert (taken.status, taken.error) == (409, "conflict")
    wildcard = await client.admin("POST", "/apps/shop/domains", {"pattern": "*.shop.example"})
    assert (wildcard.status, wildcard.details["field"]) == (422, "pattern")
    assert [one["pattern"] for one in (await client.admin("GET", "/apps/shop/domains")).json["items"]] == [
        "shop.example"
    ]
    # A path of another app does not answer on this one's host.
    assert (await client("GET", "/hello", host="shop.example")).status == 404


async def test_a_script_is_made_found_listed_without_source_and_deleted(client: Client) -> None:
    script = await client.script(
        ENDPOINT, name="greet", description="Says x", sandbox={"max_fuel": 1_000_000}
    )
    assert (script["version"], script["kind"], script["sandbox"]) == (1, "endpoint", {"max_fuel": 1_000_000})
    assert (await client.admin("GET", f"/scripts/{script['id']}")).json == script
    listed = (await client.admin("GET", "/apps/default/scripts")).json["items"]
    assert [one["name"] for one in listed] == ["hello", "greet"]
    assert "source" not in listed[0]
    assert (await client.admin("DELETE", f"/scripts/{script['id']}")).status == 204
    for method in ("GET", "DELETE"):
        assert (await client.admin(method, f"/scripts/{script['id']}")).status == 404


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"name": ""}, "name"),
        ({"name": " x"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 129}, "name"),
        ({"kind": "daemon"}, "kind"),
        ({"execute_access": "nobody"}, "execute_access"),
        ({"source": 1}, "source"),
        ({"source": "a\0b"}, "source"),
        ({"sandbox": {"max_fuel": "1"}}, "sandbox.max_fuel"),
        ({"sandbox": {"max_fuel": True}}, "sandbox.max_fuel"),
        ({"sandbox": {"max_fuel": 0}}, "sandbox.max_fuel"),
        ({"sandbox": {"max_fuel": 10**30}}, "sandbox.max_fuel"),
        ({"sandbox": {"max_log_lines": 1}}, "sandbox.max_log_lines"),
        ({"sandbox": []}, "sandbox"),
        ({"owner": "me"}, "owner"),
    ],
)
async def test_a_wrong_field_of_a_script_is_422_and_named(
    client: Client, fields: dict[str, object], where: str
) -> None:
    answer = await client.admin("POST", "/apps/default/scripts", {"name": "s", "source": ENDPOINT, **fields})
    assert (answer.status, answer.error) == (422, "invalid"), answer.body
    assert answer.details["field"] == where


async def test_an_override_over_its_ceiling_names_what_was_asked_and_the_ceiling(client: Client) -> None:
    fields = {"name": "s", "source": ENDPOINT, "sandbox": {"timeout_seconds": 301}}
    answer = await client.admin("POST", "/apps/default/scripts", fields)
    assert answer.details == {"field": "sandbox.timeout_seconds", "requested": 301, "ceiling": 300}
    fields["sandbox"] = {"max_fule": 1}
    unknown = await client.admin("POST", "/apps/default/scripts", fields)
    assert "max_fuel" in unknown.details["known"]


async def test_a_source_of_one_mebibyte_is_saved_and_one_byte_more_is_not(client: Client) -> None:
    comment = "//" + "x" * (1024 * 1024 - 2)
    assert (await client.script(comment))["version"] == 1
    for path, fields in (("scripts", {"name": "t"}), ("scripts:validate", {})):
        answer = await client.admin("POST", f"/apps/default/{path}", {"source": comment + "x", **fields})
        assert (answer.status, answer.details["ceiling"]) == (422, 1024 * 1024)


async def test_a_source_that_does_not_parse_is_refused_with_its_place(client: Client) -> None:
    body = {"source": "let x = 1;\nlet y = ;"}
    for answer in (
        await client.admin("POST", "/apps/default/scripts:validate", body),
        await client.admin("POST", "/apps/default/scripts", {"name": "s", **body}),
    ):
        assert (answer.status, answer.error) == (422, "script_invalid")
        assert (answer.details["line"], answer.details["column"]) == (2, 9)
        assert answer.details["message"]
    good = await client.admin(
        "POST", "/apps/default/scripts:validate", {"source": "fn f() { 1 }", "kind": "module"}
    )
    assert (good.status, good.json) == (200, {"valid": True})


async def test_a_patch_keeps_what_is_absent_and_clears_what_is_null(client: Client) -> None:
    script = await client.script(
        ENDPOINT, description="d", sandbox={"max_fuel": 5_000_000, "timeout_seconds": 3}
    )
    path = f"/scripts/{script['id']}"
    patched = await client.admin(
        "PATCH", path, {"description": None, "sandbox": {"max_fuel": None, "max_map_size": 7}}
    )
    assert (patched.status, patched.json["version"]) == (200, 2)
    assert patched.json["description"] == ""
    assert patched.json["sandbox"] == {"timeout_seconds": 3, "max_map_size": 7}
    assert patched.json["source"] == ENDPOINT
    assert (await client.admin("PATCH", path, {"sandbox": None})).json["sandbox"] == {}
    assert (await client.admin("PATCH", path, {"source": None})).status == 422
    assert (await client.admin("PATCH", path, {})).json["version"] == 3


async def test_two_writers_on_one_version_give_one_409(client: Client) -> None:
    script = await client.script(ENDPOINT)
    path = f"/scripts/{script['id']}"
    answers = await asyncio.gather(
        *(client.admin("PATCH", path, {"source": f"{n}", "version": 1}) for n in range(4))
    )
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]
    by_header = await client.admin("PATCH", path, {"source": "9"}, headers={"If-Match": '"1"'})
    assert (by_header.status, by_header.details["version"]) == (409, 2)
    assert (await client.admin("PATCH", path, {"source": "9"}, headers={"If-Match": '"2"'})).status == 200
    assert (await client.admin("PATCH", path, {"version": 1}, headers={"If-Match": "2"})).status == 422
    assert (await client.admin("PATCH", path, {}, headers={"If-Match": "x"})).status == 400


async def test_writers_without_a_version_all_save_one_after_the_other(client: Client) -> None:
    script = await client.script(ENDPOINT)
    answers = await asyncio.gather(
        *(client.admin("PATCH", f"/scripts/{script['id']}", {"source": f"{n}"}) for n in range(4))
    )
    assert sorted(answer.json["version"] for answer in answers) == [2, 3, 4, 5]


async def test_every_saved_version_is_kept_with_author_and_message(client: Client, worker: Worker) -> None:
    script = await client.script(ENDPOINT, message="first")
    await client.admin("PATCH", f"/scripts/{script['id']}", {"source": "2", "message": "second"})
    rows = await worker.database.fetch(
        "SELECT version, source, message, username"
        " FROM script_versions JOIN admin_users u ON u.id = author_id"
    )
    assert sorted(tuple(row) for row in rows) == [(1, ENDPOINT, "first", "ada"), (2, "2", "second", "ada")]


async def test_a_script_name_is_the_apps_once(client: Client) -> None:
    await client.script(ENDPOINT, name="same")
    again = await client.admin("POST", "/apps/default/scripts", {"name": "same", "source": ENDPOINT})
    assert (again.status, again.details["field"]) == (409, "name")
    other = await client.script(ENDPOINT, name="other")
    assert (await client.admin("PATCH", f"/scripts/{other['id']}", {"name": "same"})).status == 409
    await client.admin("POST", "/apps", {"slug": "shop", "name": "Shop"})
    await client.script(ENDPOINT, name="same", app="shop")


async def test_a_route_is_made_listed_and_deleted(client: Client) -> None:
    script = await client.script(ENDPOINT)
    route = await client.route(script, "/x", "get")
    assert (route["method"], route["host_kind"], route["path_kind"], route["dispatch_mode"]) == (
        "GET",
        "any",
        "exact",
        "sync",
    )
    listed = (await client.admin("GET", "/apps/default/routes")).json["items"]
    assert [one["path"] for one in listed] == ["/hello", "/x"]
    assert listed[1] == route
    await client.admin("POST", "/apps", {"slug": "shop", "name": "Shop"})
    assert (await client.admin("DELETE", f"/apps/shop/routes/{route['id']}")).status == 404
    assert (await client.admin("DELETE", f"/apps/default/routes/{route['id']}")).status == 204
    assert (await client.admin("DELETE", f"/apps/default/routes/{route['id']}")).status == 404
    assert (await client.admin("DELETE", "/apps/default/routes/%00")).status == 404


async def test_two_routes_for_the_same_requests_conflict_also_when_made_at_once(client: Client) -> None:
    script = await client.script(ENDPOINT)
    body = {"script_id": script["id"], "method": "GET", "path": "/caf%C3%A9"}
    answers = await asyncio.gather(*(client.admin("POST", "/apps/default/routes", body) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]
    refused = await client.admin("POST", "/apps/default/routes", {**body, "path": "/café"})
    assert refused.details["route"]["path"] == "/café"
    for other in ({**body, "method": None}, {**body, "method": "POST"}):
        assert (await client.admin("POST", "/apps/default/routes", other)).status == 201


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"path": "/a/*"}, "path"),
        ({"path": "/:id"}, "path"),
        ({"path": "/api/x"}, "path"),
        ({"path": "a"}, "path"),
        ({"path": "/a\0"}, "path"),
        ({"method": "BREW"}, "method"),
        ({"host": "*.example.com"}, "host"),
        ({"dispatch_mode": "async"}, "dispatch_mode"),
    ],
)
async def test_what_cannot_be_routed_is_422_with_the_field(
    client: Client, fields: dict[str, object], where: str
) -> None:
    script = await client.script(ENDPOINT)
    body = {"script_id": script["id"], "method": "GET", "path": "/a", **fields}
    answer = await client.admin("POST", "/apps/default/routes", body)
    assert (answer.status, answer.details["field"]) == (422, where)


async def test_a_route_needs_an_endpoint_of_its_own_app(client: Client) -> None:
    await client.admin("POST", "/apps", {"slug": "shop", "name": "Shop"})
    theirs = await client.script(ENDPOINT, app="shop")
    module = await client.script("fn f() { 1 }", name="m", kind="module")
    for script_id, status in ((theirs["id"], 404), (str(uuid4()), 404), ("x", 404), (module["id"], 422)):
        body = {"script_id": script_id, "method": "GET", "path": "/a"}
        assert (await client.admin("POST", "/apps/default/routes", body)).status == status


async def test_a_script_with_routes_is_not_deleted_unforced_nor_made_a_module(
    client: Client,
) -> None:
    script = await client.script("fn f() { 1 }")
    route = await client.route(script, "/x")
    path = f"/scripts/{script['id']}"
    for answer in (await client.admin("DELETE", path), await client.admin("PATCH", path, {"kind": "module"})):
        assert (answer.status, answer.error) == (409, "conflict")
        assert [one["id"] for one in answer.details["routes"]] == [route["id"]]
    assert (await client.admin("GET", path)).json["version"] == 1
    assert (await client.admin("DELETE", f"{path}?force=true")).status == 204
    assert (await client("GET", "/x")).status == 404


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


async def test_limits_are_told_with_their_values(client: Client) -> None:
    items = (await client.admin("GET", "/limits")).json["items"]
    assert all(set(item) == {"name", "default", "ceiling", "unit", "enforced_by", "env"} for item in items)
    assert {"max_fuel", "memory_limit_mb", "max_source_size"} <= {item["name"] for item in items}
