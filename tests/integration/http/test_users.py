"""Users, keys, members and the audit log over HTTP."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.conftest import PASSWORD, Worker
from tests.integration.http.conftest import OWNER, Client

NEW = {"username": "bob", "password": PASSWORD, "role": "admin"}


async def as_person(client: Client, worker: Worker, name: str, role: Any = "member") -> dict[str, Any]:
    """Make a user and be them."""
    user = await worker.person(name, role)
    client.token = await worker.session_of(user)
    return {"id": str(user.id)}


async def test_a_user_is_created_shown_listed_updated_and_deleted(client: Client) -> None:
    made = await client.admin("POST", "/users", {**NEW, "email": "bob@example.com"})
    assert made.status == 201
    assert set(made.json) == {
        "id", "username", "email", "role", "is_active", "created_at", "updated_at", "last_login_at"
    }  # fmt: skip
    assert PASSWORD.encode() not in made.body
    assert b"argon2" not in made.body
    assert (await client.admin("GET", f"/users/{made.json['id']}")).json == made.json
    assert (await client.admin("GET", "/users/BOB")).json == made.json
    page = (await client.admin("GET", "/users?limit=1")).json
    assert [one["username"] for one in page["items"]] == [OWNER]
    rest = (await client.admin("GET", f"/users?cursor={page['next_cursor']}")).json
    assert rest == {"items": [made.json], "next_cursor": None}
    changed = await client.admin("PATCH", "/users/bob", {"email": None, "is_active": False})
    assert (changed.json["email"], changed.json["is_active"], changed.json["role"]) == (None, False, "admin")
    assert (await client.admin("DELETE", "/users/bob")).status == 204
    for method in ("GET", "DELETE"):
        assert (await client.admin(method, "/users/bob")).status == 404


@pytest.mark.parametrize(
    "extra",
    [
        {"id": str(uuid4())},
        {"password_hash": "x"},
        {"is_owner": True},
        {"created_at": "2020-01-01T00:00:00Z"},
        {"last_login_at": None},
        {"memberships": {}},
    ],
)
async def test_no_field_is_taken_that_is_not_named(client: Client, extra: dict[str, object]) -> None:
    for method, path, body in (("POST", "/users", NEW), ("PATCH", f"/users/{OWNER}", {})):
        answer = await client.admin(method, path, {**body, **extra})
        assert (answer.status, answer.details["field"]) == (422, next(iter(extra)))


@pytest.mark.parametrize("field", ["username", "role", "is_active", "password"])
async def test_what_cannot_be_cleared_is_422(client: Client, field: str) -> None:
    assert (await client.admin("PATCH", f"/users/{OWNER}", {field: None})).status == 422


async def test_the_invariants_return_409_and_403(client: Client, worker: Worker) -> None:
    last = await client.admin("DELETE", f"/users/{OWNER}")
    assert (last.status, last.details["guard"]) == (409, "last_owner")
    await as_person(client, worker, "amy", "admin")
    for method, path, body in (
        ("POST", "/users", {**NEW, "role": "owner"}),
        ("PATCH", "/users/amy", {"role": "owner"}),
        ("PATCH", f"/users/{OWNER}", {"password": "my own choice"}),
        ("PATCH", f"/users/{OWNER}", {"is_active": False}),
        ("DELETE", f"/users/{OWNER}", None),
    ):
        assert (await client.admin(method, path, body)).status == 403


async def test_concurrent_deletions_of_the_last_owner_are_rejected(client: Client, worker: Worker) -> None:
    await worker.person("bob", "owner")
    answers = await asyncio.gather(
        *(client.admin("DELETE", f"/users/{name}") for name in (OWNER, "bob", OWNER, "bob"))
    )
    assert sorted(answer.status for answer in answers)[0] == 204
    assert [answer.status for answer in answers].count(204) == 1
    owners = "SELECT count(*) FROM admin_users WHERE role = 'owner' AND is_active"
    assert await worker.database.fetchval(owners) == 1


async def test_a_member_sees_no_users_and_learns_no_names(client: Client, worker: Worker) -> None:
    await as_person(client, worker, "vic")
    bodies = [
        (await client.admin("POST", "/users", {**NEW, "username": name})).json["error"]
        for name in (OWNER, "not-taken")
    ]
    for body in bodies:
        body.pop("request_id")
    assert bodies[0] == bodies[1]
    assert bodies[0]["code"] == "forbidden"


async def test_a_key_is_created_used_listed_and_revoked(client: Client) -> None:
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    made = await client.admin(
        "POST", "/api-keys", {"name": "ci", "scopes": ["script:read"], "expires_at": soon}
    )
    assert made.status == 201
    key = dict(made.json)
    secret = key.pop("key")
    assert set(key) == {
        "id", "user_id", "name", "prefix", "scopes", "app_id", "expires_at", "created_at", "last_used_at"
    }  # fmt: skip
    assert (await client.admin("GET", "/api-keys")).json["items"] == [key]
    bearer = {"Authorization": f"Bearer {secret}"}
    assert (await client.admin("GET", "/apps/default", headers=bearer)).status == 200
    assert (await client.admin("DELETE", "/apps/default", headers=bearer)).status == 403
    assert (await client.admin("DELETE", f"/api-keys/{key['id']}")).status == 204
    assert (await client.admin("GET", "/apps/default", headers=bearer)).status == 401
    for path in (key["id"], "x", "%00", str(uuid4())):
        assert (await client.admin("DELETE", f"/api-keys/{path}")).status == 404


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes.0"),
        ({"scopes": "script:read"}, "scopes"),
        ({"name": ""}, "name"),
        ({"app_id": "shop"}, "app_id"),
        ({"app_id": 1}, "app_id"),
        ({"user_id": str(uuid4())}, "user_id"),
        *(({"expires_at": when}, "expires_at") for when in (
            "2020-01-01T00:00:00Z", "2999-01-01T00:00:00", "2999-01-01", "tomorrow", 4_000_000_000, "",
            "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "+10000-01-01T00:00:00Z",
        )),
    ],
)  # fmt: skip
async def test_an_invalid_key_is_422_with_the_field(
    client: Client, fields: dict[str, object], where: str
) -> None:
    answer = await client.admin("POST", "/api-keys", {"name": "ci", "scopes": ["log:read"], **fields})
    assert (answer.status, answer.details["field"]) == (422, where)


async def test_a_bound_key_with_a_scope_of_the_instance_is_422(client: Client) -> None:
    app = (await client.admin("GET", "/apps/default")).json["id"]
    body = {"name": "ci", "scopes": ["script:read", "instance:admin"], "app_id": app}
    assert (await client.admin("POST", "/api-keys", body)).details["field"] == "scopes"


async def test_keys_of_others_are_managed_by_users_who_manage_users(client: Client, worker: Worker) -> None:
    vic = await worker.person("vic")
    secret = await worker.key_of(vic, ["log:read"])
    (listed,) = (await client.admin("GET", f"/api-keys?user_id={vic.id}")).json["items"]
    assert listed["user_id"] == str(vic.id)
    assert secret not in json.dumps(listed)
    await as_person(client, worker, "eve")
    assert (await client.admin("GET", f"/api-keys?user_id={vic.id}")).status == 403
    assert (await client.admin("DELETE", f"/api-keys/{listed['id']}")).status == 404
    await as_person(client, worker, "amy", "admin")
    assert (await client.admin("DELETE", f"/api-keys/{listed['id']}")).status == 204
    bearer = {"Authorization": f"Bearer {secret}"}
    assert (await client.admin("GET", "/auth/me", headers=bearer)).status == 401


async def test_members_are_granted_changed_and_removed(client: Client, worker: Worker) -> None:
    vic = await worker.person("vic")
    path = f"/apps/default/members/{vic.id}"
    granted = await client.admin("PUT", path, {"role": "viewer"})
    assert (granted.status, granted.json["username"], granted.json["role"]) == (200, "vic", "viewer")
    assert set(granted.json) == {
        *("user_id", "username", "email", "role", "instance_role", "is_active", "created_at", "updated_at")
    }
    assert (await client.admin("PUT", path, {"role": "editor"})).status == 409
    assert (await client.admin("PATCH", path, {"role": "editor"})).json["role"] == "editor"
    assert (await client.admin("PATCH", path, {"role": "king"})).status == 422
    assert [one["role"] for one in (await client.admin("GET", "/apps/default/members")).json["items"]] == [
        "editor"
    ]
    for _ in range(2):
        assert (await client.admin("DELETE", path)).status == 204
    assert (await client.admin("PATCH", path, {"role": "editor"})).status == 404
    refused = await client.admin("PUT", f"/apps/default/members/{OWNER}", {"role": "viewer"})
    assert (refused.status, refused.details["reason"]) == (422, "not_a_member")


async def test_concurrent_grants_create_one_and_return_409(client: Client, worker: Worker) -> None:
    vic = await worker.person("vic")
    path = f"/apps/default/members/{vic.id}"
    answers = await asyncio.gather(*(client.admin("PUT", path, {"role": "viewer"}) for _ in range(2)))
    assert sorted(answer.status for answer in answers) == [200, 409]


async def test_the_log_is_newest_first_in_pages_and_filtered(client: Client, worker: Worker) -> None:
    for slug in ("one", "two"):
        await client.admin("POST", "/apps", {"slug": slug, "name": slug})
    await client.admin("POST", "/apps", {"slug": "one", "name": "again"})
    everything = (await client.admin("GET", "/audit")).json["items"]
    ids = [one["id"] for one in everything]
    assert ids == sorted(ids, reverse=True)
    assert set(everything[0]) == {
        "id", "at", "user_id", "username", "key_id", "address", "request_id", "action", "outcome", "reason",
        "app_id", "target", "before", "after", "times", "last_at",
    }  # fmt: skip
    read: list[str] = []
    cursor = ""
    while True:
        page = (await client.admin("GET", f"/audit?limit=2{cursor}")).json
        read += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert read == ids
    (refused,) = (await client.admin("GET", "/audit?outcome=refused")).json["items"]
    assert (refused["action"], refused["reason"], refused["username"]) == ("app.create", "conflict", OWNER)
    made = (await client.admin("GET", "/audit?action=app.create&outcome=done")).json["items"]
    assert len(made) == 2
    me = (await client.admin("GET", "/auth/me")).json["id"]
    assert {one["user_id"] for one in (await client.admin("GET", f"/audit?user_id={me}")).json["items"]} == {
        me
    }
    app = (await client.admin("GET", "/apps/two")).json["id"]
    of_app = (await client.admin("GET", "/apps/two/audit")).json["items"]
    assert of_app == (await client.admin("GET", f"/audit?app_id={app}")).json["items"] != []
    for query in ("outcome=odd", "app_id=x", "user_id=1", "odd=1"):
        assert (await client.admin("GET", f"/audit?{query}")).status == 422


async def test_a_denial_with_an_unstorable_name_is_recorded(client: Client, worker: Worker) -> None:
    await as_person(client, worker, "vic")
    for path in ("/apps/%00", "/users/%ff", "/users/" + "x" * 2000):
        assert (await client.admin("DELETE", path)).status == 403
    assert await worker.database.fetchval("SELECT count(*) FROM audit_log WHERE outcome = 'refused'") == 3
