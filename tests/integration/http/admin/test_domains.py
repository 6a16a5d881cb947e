"""Promises of http/admin/domains.py and control/domains.py."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from picloud.control import domains as domains_service
from tests.integration.conftest import Worker
from tests.integration.http.conftest import Answer, Client


async def claim(client: Client, app: str, pattern: str, **kwargs: Any) -> Answer:
    return await client.admin("POST", f"/apps/{app}/domains", {"pattern": pattern}, **kwargs)


@pytest.fixture
async def shop(client: Client) -> Client:
    """A second app."""
    assert (await client.admin("POST", "/apps", {"slug": "shop", "name": "Shop"})).status == 201
    return client


async def test_a_domain_is_claimed_listed_and_given_up(shop: Client) -> None:
    made = [await claim(shop, "shop", pattern) for pattern in ("Shop.Example.", "*.bücher.example")]
    assert [(one.status, one.json["pattern"], one.json["kind"]) for one in made] == [
        (201, "shop.example", "exact"),
        (201, "*.xn--bcher-kva.example", "wildcard"),
    ]
    assert (await shop.admin("GET", "/apps/shop/domains")).json["items"] == [one.json for one in made]
    path = f"domains/{made[0].json['id']}"
    assert (await shop.admin("DELETE", f"/apps/default/{path}")).status == 404
    assert (await shop.admin("DELETE", f"/apps/shop/{path}")).status == 204
    assert (await shop.admin("DELETE", f"/apps/shop/{path}")).status == 404
    assert (await shop.admin("DELETE", "/apps/shop/domains/x")).status == 404
    assert (await claim(shop, "default", "shop.example")).status == 201


@pytest.mark.parametrize("pattern", ["*", "*.", "a.*.b", "shop.example:80", "", "a b", "*.127.0.0.1", "a\0"])
async def test_an_invalid_host_cannot_be_claimed(shop: Client, pattern: str) -> None:
    answer = await claim(shop, "shop", pattern)
    assert (answer.status, answer.details["field"]) == (422, "pattern")


async def test_two_apps_cannot_claim_the_same_shape_however_it_is_written(shop: Client) -> None:
    for first, second in (
        ("api.example.com", "API.example.com."),
        ("*.example.com", "*.EXAMPLE.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("::1", "[0:0::1]"),
    ):
        assert (await claim(shop, "shop", first)).status == 201
        for app in ("default", "shop"):
            refused = await claim(shop, app, second)
            assert (refused.status, refused.error) == (409, "conflict"), second
            assert ("this app" in refused.json["error"]["message"]) == (app == "shop")
            assert refused.details["app_id"] == (await shop.admin("GET", "/apps/shop")).json["id"]


async def test_concurrent_claims_create_one(shop: Client) -> None:
    answers = await asyncio.gather(*(claim(shop, app, "new.example") for app in ("shop", "default") * 3))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409, 409, 409]


async def test_the_most_specific_claim_gets_the_request(shop: Client) -> None:
    await claim(shop, "default", "*.example.com")
    await claim(shop, "shop", "shop.t")
    await shop.route(await shop.script('"default"', name="d"), "/who")
    script = await shop.script('"shop"', app="shop")
    await shop.admin("POST", "/apps/shop/routes", {"script_id": script["id"], "path": "/who"})

    async def who(host: str) -> bytes:
        return (await shop("GET", "/who", host=host)).body

    assert await who("a.b.example.com") == b'"default"'
    assert (await shop("GET", "/who", host="example.com")).status == 404
    await claim(shop, "shop", "*.b.example.com")
    assert [await who(host) for host in ("A.B.example.com:8080", "b.example.com.", "a.example.com")] == [
        b'"shop"',
        b'"default"',
        b'"default"',
    ]
    await claim(shop, "default", "a.b.example.com")
    assert [await who(host) for host in ("a.b.example.com", "x.a.b.example.com")] == [b'"default"', b'"shop"']


async def test_a_host_inside_another_apps_wildcard_requires_domain_manage_there(
    client: Client, worker: Worker
) -> None:
    """Else a tenant could take another's subdomains, and their visitors' cookies with them."""
    mine, theirs = await worker.app("mine"), await worker.app("theirs")
    await claim(client, "theirs", "*.theirs.example")
    for role, seen in ((None, False), ("viewer", True), ("editor", True), ("app_admin", True)):
        person = await worker.person(f"who-{role}", app_id=mine, app_role="app_admin")
        if role is not None:
            await client.admin("PUT", f"/apps/theirs/members/{person.id}", {"role": role})
        token = {"Authorization": f"Bearer {await worker.session_of(person)}"}
        for pattern in (f"{role}.theirs.example", f"*.{role}.theirs.example"):
            answer = await claim(client, "mine", pattern, headers=token)
            if role == "app_admin":
                assert answer.status == 201, answer.body
                continue
            assert (answer.status, answer.error) == (409, "conflict")
            assert (str(theirs) in str(answer.json), "*.theirs.example" in str(answer.json)) == (seen, seen)
        taken = await claim(client, "mine", "*.theirs.example", headers=token)
        assert (taken.status, str(theirs) in str(taken.json)) == (409, seen)
    # What lies inside one's own wildcard is one's own, whoever has the one around it.
    assert (await claim(client, "mine", "*.app_admin.theirs.example")).status == 409
    person = await worker.person("late", app_id=mine, app_role="app_admin")
    token = {"Authorization": f"Bearer {await worker.session_of(person)}"}
    assert (await claim(client, "mine", "x.app_admin.theirs.example", headers=token)).status == 201


async def test_a_domain_that_routes_name_is_given_up_with_them_only(shop: Client) -> None:
    script = await shop.script("1", app="shop")
    domain = (await claim(shop, "shop", "*.example.com")).json
    paths = {}
    for host in ("any", "a.example.com", ":who.b.example.com", "*.example.com"):
        body = {"script_id": script["id"], "path": "/x", "host": host}
        paths[host] = (await shop.admin("POST", "/apps/shop/routes", body)).json["id"]
    await claim(shop, "shop", "*.b.example.com")
    path = f"/apps/shop/domains/{domain['id']}"
    refused = await shop.admin("DELETE", path)
    assert (refused.status, refused.error) == (409, "conflict")
    assert {route["id"] for route in refused.details["routes"]} == {
        paths["a.example.com"],
        paths["*.example.com"],
    }
    assert (await shop("GET", "/x", host="a.example.com")).status == 200
    assert (await shop.admin("DELETE", f"{path}?force=true")).status == 204
    left = (await shop.admin("GET", "/apps/shop/routes")).json["items"]
    assert {route["host"] for route in left} == {"any", ":who.b.example.com"}
    assert (await shop("GET", "/x", host="a.example.com")).status == 404
    assert (await shop("GET", "/x", host="a.b.example.com")).status == 200


async def test_domains_above_the_limit_of_an_app_are_rejected(
    shop: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domains_service, "MAX_DOMAINS", 2)
    answers = [await claim(shop, "shop", f"{n}.example") for n in "abc"]
    assert [answer.status for answer in answers] == [201, 201, 409]


async def test_claims_are_in_the_audit_log(shop: Client, worker: Worker) -> None:
    domain = (await claim(shop, "shop", "shop.example")).json
    await shop.admin("DELETE", f"/apps/shop/domains/{domain['id']}")
    rows = await worker.database.fetch(
        "SELECT action, before->>'pattern' AS before, after->>'pattern' AS after FROM audit_log "
        "WHERE target = $1 ORDER BY id",
        domain["id"],
    )
    assert [tuple(row) for row in rows] == [
        ("domain.create", None, "shop.example"),
        ("domain.delete", "shop.example", None),
    ]
