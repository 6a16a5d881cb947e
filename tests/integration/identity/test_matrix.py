"""Every endpoint of the API for every kind of principal, over HTTP, with existing objects.

A write is sent with a parameter that no endpoint has: who may not do it is refused before that is seen,
who may is told of it (422), and nothing changes that the next principal needs.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest

from picloud.http.admin.endpoint import Endpoint
from picloud.http.application import ENDPOINTS
from picloud.identity.capabilities import SCOPES
from tests.expected_access import EVERYONE, Where, Who
from tests.integration.conftest import CONSOLE, Worker
from tests.integration.http.conftest import Answer, Client, serving

MAKES_WHAT_IT_NAMES = {
    ("PUT", "/apps/{app}/kv/{collection}/{entry}"),
    ("PUT", "/apps/{app}/vars/{variable}"),
    ("POST", "/apps/{app}/docs/{collection}"),
}
APP_SCOPES = [scope for scope in SCOPES if scope != "instance:admin"]


@dataclass(frozen=True)
class World:
    """Two apps with one of everything, and a token of everyone.

    Attributes:
        client: sends no token of its own.
        places: values of the placeholders of paths, by app.
        tokens: by kind of principal; None for nobody.
    """

    client: Client
    places: dict[Where, dict[str, str]]
    tokens: dict[Who, str | None]

    async def ask(self, endpoint: Endpoint, who: Who, where: Where) -> Answer:
        path = re.sub(r"\{(\w+)\}", lambda match: self.places[where][match[1]], endpoint.path)
        if endpoint.method != "GET":
            path += "?no_such_parameter=1"
        token = self.tokens[who]
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        body = {} if endpoint.method in ("POST", "PATCH", "PUT") else None
        return await self.client.admin(endpoint.method, path, body, headers=headers)


@pytest.fixture
async def world(worker: Worker) -> AsyncIterator[World]:
    async with serving(worker) as client:
        owner = await worker.person("owner", "owner")
        client.token = await worker.session_of(owner)
        this, other = await worker.app("this"), await worker.app("other")
        user = await worker.person("someone", "member", this)
        await worker.platform.members.grant(other, "someone", "viewer", CONSOLE)
        places: dict[Where, dict[str, str]] = {
            "this": await _furnish(worker, client, "this", user.id),
            "other": await _furnish(worker, client, "other", user.id),
        }
        places["missing"] = {name: str(uuid4()) for name in places["this"]} | {"version": "1"}
        tokens = {who: await _token(worker, who, {"this": this, "other": other}) for who in EVERYONE}
        client.token = None
        yield World(client, places, tokens)


async def _furnish(worker: Worker, client: Client, app: str, user_id: UUID) -> dict[str, str]:
    """One of everything in an app; returns the placeholders' values."""
    script = await client.script('"done"', app=app)
    route = await client.admin(
        "POST", f"/apps/{app}/routes", {"script_id": script["id"], "method": "GET", "path": "/x"}
    )
    domain = await client.admin("POST", f"/apps/{app}/domains", {"pattern": f"{app}.example.com"})
    execution = await client.execute(script)
    key = await client.admin("POST", "/api-keys", {"name": "k", "scopes": ["log:read"]})
    collection = f"{app}'s things"
    place = quote(collection)
    entry = await client.admin("PUT", f"/apps/{app}/kv/{place}/{app}", {"value": 1})
    variable = await client.admin("PUT", f"/apps/{app}/vars/{app.upper()}", {"value": "x"})
    document = await client.admin("POST", f"/apps/{app}/docs/{place}", {"data": {}})
    assert {route.status, domain.status, key.status, document.status} == {201}
    assert {entry.status, variable.status} == {200}
    return {
        "app": app,
        "script": script["id"],
        "version": "1",
        "route": route.json["id"],
        "domain": domain.json["id"],
        "execution": execution.headers["X-Execution-Id"],
        "user": str(user_id),
        "key": key.json["id"],
        "session": str(uuid4()),
        "collection": place,
        "entry": app,
        "variable": app.upper(),
        "document": document.json["id"],
        "file": await worker.file(app, collection),
    }


async def _token(worker: Worker, who: Who, apps: dict[str, UUID]) -> str | None:
    name = re.sub("[^a-z]", "-", who.name)
    if who.name == "an inactive user":
        gone = await worker.person(name, "admin")
        token = await worker.session_of(gone)
        await worker.platform.accounts.update(name, {"is_active": False}, CONSOLE)
        return token
    if who.role is None:
        return None
    if who.role in ("owner", "admin"):
        user = await worker.person(name, who.role)  # type: ignore[arg-type]
    elif who.role == "outsider":
        user = await worker.person(name)
    else:
        user = await worker.person(name, "member", apps["this"], who.role)  # type: ignore[arg-type]
    if who.scopes is None:
        return await worker.session_of(user)
    return await worker.key_of(user, sorted(who.scopes), None if who.bound is None else apps[who.bound])


def _allowed(endpoint: Endpoint, who: Who, where: Where) -> bool:
    if endpoint.access == "user":
        return True
    if endpoint.access == "session":
        return who.scopes is None
    return who.may(endpoint.access, where)


def _body(answer: Answer) -> dict[str, Any]:
    return {name: value for name, value in answer.json["error"].items() if name != "request_id"}


def _in_app(endpoint: Endpoint) -> bool:
    return "{app}" in endpoint.path or "{script}" in endpoint.path


@pytest.mark.slow
async def test_every_endpoint_admits_exactly_the_expected_callers(world: World) -> None:
    wrong: list[tuple[object, ...]] = []
    for endpoint in (one for one in ENDPOINTS if one.access != "public"):
        places: tuple[Where, ...] = ("this", "other") if _in_app(endpoint) else ("this",)
        for who in EVERYONE:
            for where in places:
                status = (await world.ask(endpoint, who, where)).status
                if who.role is None:
                    right = status == 401
                elif _allowed(endpoint, who, where):
                    right = status in (200, 404, 422)
                else:
                    right = status == 403
                if not right:
                    wrong.append((endpoint.method, endpoint.path, who.name, where, status))
    assert wrong == []


async def test_a_foreign_and_a_missing_app_look_the_same_to_members(
    world: World,
) -> None:
    wrong: list[tuple[object, ...]] = []
    for endpoint in filter(_in_app, ENDPOINTS):
        for who in (one for one in EVERYONE if one.role is not None):
            missing = await world.ask(endpoint, who, "missing")
            if who.role in ("owner", "admin") and who.bound is None:
                scoped = who.scopes is None or who.may(endpoint.access, "other")
                right = missing.status == (404 if scoped else 403)
            else:
                there = await world.ask(endpoint, who, "other")
                right = missing.status == 403 and (
                    who.bound == "other" or (there.status, _body(there)) == (403, _body(missing))
                )
            if not right:
                wrong.append((endpoint.method, endpoint.path, who.name, missing.status))
    assert wrong == []


async def test_objects_of_one_app_are_not_found_under_another(world: World) -> None:
    """Every endpoint with something of an app in its path, asked by an owner for another app's."""
    owner = next(who for who in EVERYONE if who.name == "owner in person")
    world.client.token = world.tokens[owner]
    asked = 0
    for endpoint in ENDPOINTS:
        things = set(re.findall(r"\{(\w+)\}", endpoint.path)) - {"app", "user", "script", "version"}
        if "{app}" not in endpoint.path or not things:
            continue
        foreign = {**world.places["other"], "app": "this"}
        if (endpoint.method, endpoint.path) in MAKES_WHAT_IT_NAMES:
            continue
        path = endpoint.path.format(**foreign)
        body = None
        if endpoint.method in ("PATCH", "PUT", "POST"):
            body = {"data": {}} if "data" in endpoint.body.model_fields else {}
        assert (await world.client.admin(endpoint.method, path, body)).status == 404, endpoint.path
        asked += 1
    assert asked >= 5


async def test_a_body_or_a_parameter_names_nothing_of_another_app(world: World) -> None:
    owner = next(who for who in EVERYONE if who.name == "owner in person")
    world.client.token = world.tokens[owner]
    theirs = world.places["other"]
    route = {"script_id": theirs["script"], "method": "GET", "path": "/y"}
    for method, path, body in (
        ("POST", "/apps/this/routes", route),
        ("PATCH", f"/apps/this/routes/{world.places['this']['route']}", {"script_id": theirs["script"]}),
    ):
        assert (await world.client.admin(method, path, body)).status == 404
    listed = await world.client.admin("GET", f"/apps/this/executions?script_id={theirs['script']}")
    assert listed.status == 404 or listed.json["items"] == []
    audit = (await world.client.admin("GET", "/apps/this/audit")).json["items"]
    app = (await world.client.admin("GET", "/apps/this")).json["id"]
    assert {one["app_id"] for one in audit} == {app}


async def test_lists_show_only_readable_objects(world: World) -> None:
    seen = {}
    for who in (one for one in EVERYONE if one.role is not None):
        world.client.token = world.tokens[who]
        items = (await world.client.admin("GET", "/apps")).json["items"]
        seen[who] = {app["slug"] for app in items}
        for app in items:
            assert set(app["my_capabilities"]) == {
                one for one in app["my_capabilities"] if who.may(one, app["slug"])
            }
    for who, slugs in seen.items():
        assert slugs == {slug for slug in ("this", "other") if who.may("app.read", slug)}, who.name  # type: ignore[arg-type]


async def test_no_token_of_an_inactive_user_is_good_for_anything(world: World) -> None:
    gone = next(who for who in EVERYONE if who.name == "an inactive user")
    world.client.token = world.tokens[gone]
    for path in ("/auth/me", "/apps", "/apps/this", "/users"):
        assert (await world.client.admin("GET", path)).status == 401
