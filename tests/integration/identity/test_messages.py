"""The messages about users, sessions, keys and members, each once, as the admin API returns them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from picloud.control.seed import seed
from tests.integration.conftest import PASSWORD, Worker
from tests.integration.http.conftest import Client, serving

LONG = "a long enough password"


@pytest.fixture
async def client(worker: Worker) -> AsyncIterator[Client]:
    """The owner ada, the admin grace, the member bob of the app default, and eve, who is inactive."""
    await seed(worker.changes)
    async with serving(worker) as client:
        client.token = await worker.session_of(await worker.person("ada", "owner"))
        app = (await client.admin("GET", "/apps/default")).json["id"]
        await worker.person("grace", "admin")
        await worker.person("bob", app_id=app)
        await worker.person("eve")
        await client.admin("PATCH", "/users/eve", {"is_active": False})
        yield client


async def rejected(client: Client, method: str, path: str, body: object = None) -> str:
    answer = await client.admin(method, path, body)
    return str(answer.json["error"]["message"]) if answer.status >= 400 else f"{method} {path} is accepted"


REQUESTS: list[tuple[str, str, object, str]] = [
    ("GET", "/users/none", None, "user 'none' not found"),
    (
        "POST",
        "/users",
        {"username": "a b", "password": LONG},
        (
            "invalid username; use 1 to 64 letters, digits or . _ @ + -, starting with a letter or digit, "
            "and not a UUID"
        ),
    ),
    (
        "POST",
        "/users",
        {"username": "a", "password": "short"},
        "the password must have 10 to 256 bytes, not 5",
    ),
    (
        "POST",
        "/users",
        {"username": "a", "password": LONG, "email": "a"},
        "invalid email address; use the form name@example.com",
    ),
    ("POST", "/users", {"username": "BOB", "password": LONG}, "this username is already in use"),
    ("PATCH", "/users/ada", {"role": "admin"}, "this is the last active owner; create another one first"),
    (
        "PATCH",
        "/users/ada",
        {"password": LONG},
        "you cannot reset your own password; change it with POST auth/password",
    ),
    (
        "POST",
        "/auth/password",
        {"current": "wrong password", "password": LONG},
        "the current password is wrong",
    ),
    ("POST", "/auth/login", {"username": "ada", "password": "wrong"}, "wrong username or password"),
    ("POST", "/api-keys", {"name": "k", "scopes": []}, "at least one scope is required"),
    (
        "POST",
        "/api-keys",
        {"name": "k", "scopes": ["x"]},
        (
            "scopes.0: must be 'script:read', 'script:write', 'route:write', 'domain:manage', 'app:admin', "
            "'log:read' or 'instance:admin'"
        ),
    ),
    (
        "POST",
        "/api-keys",
        {"name": "k", "scopes": ["script:read"], "expires_at": "2020-01-01T00:00:00Z"},
        "must be in the future",
    ),
    (
        "PUT",
        "/apps/default/members/grace",
        {"role": "editor"},
        "grace has the role admin, which includes every app; only users with the role member can be added",
    ),
    ("PUT", "/apps/default/members/eve", {"role": "editor"}, "eve is inactive"),
    (
        "PUT",
        "/apps/default/members/bob",
        {"role": "editor"},
        "the user is already a member; change the role instead",
    ),
]


async def test_a_rejected_change_says_why(client: Client) -> None:
    said = [await rejected(client, method, path, body) for method, path, body, _ in REQUESTS]
    assert said == [message for *_, message in REQUESTS]


async def test_a_denied_change_says_what_it_requires(client: Client, worker: Worker) -> None:
    app = (await client.admin("GET", "/apps/default")).json["id"]
    ada, grace = [await worker.platform.accounts.get(name) for name in ("ada", "grace")]
    bob = await worker.platform.accounts.get("bob")
    owners_key = (await client.admin("POST", "/api-keys", {"name": "k", "scopes": ["script:read"]})).json[
        "id"
    ]
    said = [
        await rejected(
            client, "POST", "/api-keys", {"name": "k", "scopes": ["instance:admin"], "app_id": app}
        )
    ]
    client.token = await worker.session_of(bob)
    said.append(await rejected(client, "POST", "/apps", {"slug": "a", "name": "A"}))
    client.token = await worker.session_of(grace)
    said.append(await rejected(client, "PATCH", "/users/ada", {"role": "member"}))
    said.append(await rejected(client, "DELETE", f"/api-keys/{owners_key}"))
    client.token = await worker.key_of(ada, ["script:read"])
    said.append(await rejected(client, "POST", "/apps", {"slug": "a", "name": "A"}))
    client.token = await worker.key_of(ada, ["instance:admin"])
    said.append(await rejected(client, "POST", "/api-keys", {"name": "k", "scopes": ["log:read"]}))
    said.append(await rejected(client, "POST", "/auth/password", {"current": PASSWORD, "password": LONG}))
    assert said == [
        "a key for one app cannot have an instance scope",
        "requires the capability instance.create_app (role admin)",
        "requires the role owner to create, change or delete an owner",
        "requires the role owner to revoke a key of an owner",
        "requires the capability instance.create_app; the key lacks the scope instance:admin",
        "a key can manage only keys within its own scopes, app and expiry",
        "requires a session; log in instead of using an API key",
    ]
