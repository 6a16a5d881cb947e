"""Promises of the admin API: domains, routes, limits."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from tests.integration.http.conftest import Client

ENDPOINT = '"x"'


async def test_a_claimed_host_is_the_apps_and_no_one_elses(client: Client) -> None:
    await client.admin("POST", "/apps", {"slug": "shop", "name": "Shop"})
    claim = await client.admin("POST", "/apps/shop/domains", {"pattern": "Shop.Example"})
    assert (claim.status, claim.json["pattern"], claim.json["kind"]) == (201, "shop.example", "exact")
    taken = await client.admin("POST", "/apps/default/domains", {"pattern": "shop.example"})
    assert (taken.status, taken.error) == (409, "conflict")
    assert [one["pattern"] for one in (await client.admin("GET", "/apps/shop/domains")).json["items"]] == [
        "shop.example"
    ]
    # A path of another app does not answer on this one's host.
    assert (await client("GET", "/hello", host="shop.example")).status == 404


async def test_a_route_is_created_listed_and_deleted(client: Client) -> None:
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


async def test_concurrent_routes_for_the_same_requests_conflict(client: Client) -> None:
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
        ({"path": "/a*"}, "path"),
        ({"path": "/:1"}, "path"),
        ({"path": "/api/x"}, "path"),
        ({"path": "a"}, "path"),
        ({"path": "/a\0"}, "path"),
        ({"method": "BREW"}, "method"),
        ({"host": "*.example.com"}, "host"),
        ({"dispatch_mode": "async"}, "dispatch_mode"),
    ],
)
async def test_an_unroutable_path_is_422_with_the_field(
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


async def test_limits_are_listed_with_their_values(client: Client) -> None:
    items = (await client.admin("GET", "/limits")).json["items"]
    assert all(set(item) == {"name", "default", "ceiling", "unit", "enforced_by", "env"} for item in items)
    assert {"max_fuel", "memory_limit_mb", "max_source_size"} <= {item["name"] for item in items}
