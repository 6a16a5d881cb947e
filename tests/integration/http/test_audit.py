"""Promises of the audit log: one entry per write and per denied action, and no secrets."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import uuid4

import pytest

from picloud.core.errors import Unavailable
from picloud.core.pagination import PageRequest
from picloud.db.pool import Database
from picloud.http.application import ENDPOINTS
from picloud.identity import audit
from picloud.identity.actor import Actor
from picloud.identity.audit import Audit, AuditFilter
from picloud.identity.principal import Principal
from picloud.services.quotas import STORES, Amount
from tests.integration.conftest import CONSOLE, PASSWORD, Worker
from tests.integration.http.conftest import OWNER, Client

PROBES = {"check", "match", "validate"}
"""Verbs of what is sent with POST for its body and changes nothing."""
NEW_PASSWORD = "battery staple"
SECRET_SOURCE = 'let hidden_in_the_source = 1; "done"'


class Story:
    """Calls one after another, and what each left in the log."""

    def __init__(self, client: Client, database: Database) -> None:
        self._client = client
        self._database = database
        self.told: set[str] = set()
        self.secrets = {PASSWORD, NEW_PASSWORD, "hidden_in_the_source", str(client.token)}

    async def entries(self) -> list[dict[str, Any]]:
        rows = await self._database.fetch("SELECT * FROM audit_log ORDER BY id")
        return [dict(row) for row in rows]

    async def does(
        self,
        action: str,
        method: str,
        path: str,
        body: object = None,
        status: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """Make a call and find exactly one entry of its action, done by whom the client is."""
        before = {entry["id"] for entry in await self.entries()}
        answer = await self._client.admin(method, path, body, **kwargs)
        assert answer.status in ((200, 201, 204) if status is None else (status,)), (path, answer.body)
        new = [entry for entry in await self.entries() if entry["id"] not in before]
        mine = [entry for entry in new if entry["action"] == action]
        assert len(mine) == 1, (action, new)
        # Whoever makes the first owner is logged in with it, which is an entry of its own.
        assert {entry["action"] for entry in new} <= {action, "session.login"}, (action, new)
        (entry,) = mine
        assert entry["outcome"] == ("done" if answer.status < 400 else "refused")
        assert entry["reason"] == (None if answer.status < 400 else answer.error)
        assert entry["request_id"] == answer.headers["X-Request-Id"]
        assert entry["address"] == "127.0.0.1"
        if answer.status < 400:
            self.told.add(action)
        return answer.json

    async def check_no_secret_was_told(self) -> None:
        everything = await self._database.fetchval("SELECT string_agg(a::text, ' ') FROM audit_log a")
        assert [secret for secret in self.secrets if secret in everything] == []
        assert "argon2" not in everything


async def test_every_action_leaves_one_entry_and_no_secret(anyone: Client, worker: Worker) -> None:
    link = await worker.platform.setup.create_link()
    story = Story(anyone, worker.database)
    first = {"token": link, "username": OWNER, "password": PASSWORD}
    token = (await story.does("setup.complete", "POST", "/auth/setup", first))["token"]
    story.secrets |= {str(link), token}
    login = {"username": OWNER, "password": PASSWORD}
    anyone.token = (await story.does("session.login", "POST", "/auth/login", login))["token"]
    story.secrets.add(str(anyone.token))
    sessions = (await anyone.admin("GET", "/auth/sessions")).json["items"]
    await story.does("session.revoke", "DELETE", f"/auth/sessions/{sessions[0]['id']}")

    new = {"username": "bob", "password": PASSWORD, "role": "member", "email": "bob@example.com"}
    bob = (await story.does("user.create", "POST", "/users", new))["id"]
    await story.does("user.update", "PATCH", f"/users/{bob}", {"password": NEW_PASSWORD, "email": None})
    made = await story.does("key.create", "POST", "/api-keys", {"name": "ci", "scopes": ["log:read"]})
    story.secrets |= {made["key"], made["key"][12:]}
    await story.does("key.revoke", "DELETE", f"/api-keys/{made['id']}")

    await story.does("app.create", "POST", "/apps", {"slug": "shop", "name": "Shop"})
    await story.does("app.update", "PATCH", "/apps/shop", {"name": "The shop"})
    member = f"/apps/shop/members/{bob}"
    await story.does("member.grant", "PUT", member, {"role": "viewer"})
    await story.does("member.change", "PATCH", member, {"role": "editor"})
    await story.does("member.remove", "DELETE", member)
    domain = await story.does("domain.create", "POST", "/apps/shop/domains", {"pattern": "shop.example.com"})

    script = await story.does(
        "script.create", "POST", "/apps/shop/scripts", {"name": "s", "source": SECRET_SOURCE}
    )
    path = f"/scripts/{script['id']}"
    await story.does("script.update", "PATCH", path, {"source": SECRET_SOURCE + " "})
    await story.does("script.restore", "POST", f"{path}/versions/1:restore", {})
    route = await story.does(
        "route.create",
        "POST",
        "/apps/shop/routes",
        {"script_id": script["id"], "method": "GET", "path": "/x"},
    )
    await story.does("route.update", "PATCH", f"/apps/shop/routes/{route['id']}", {"path": "/y"})
    await story.does("settings.update", "PATCH", "/apps/shop/settings", {"cors": None})
    entry = "/apps/shop/kv/orders/a%2Fb%3A%C3%BC"
    await story.does("kv.update", "PUT", entry, {"value": "hidden_in_the_source"})
    await story.does("kv.delete", "DELETE", entry)
    await story.does("vars.update", "PUT", "/apps/shop/vars/API_URL", {"value": "hidden_in_the_source"})
    await story.does("vars.delete", "DELETE", "/apps/shop/vars/API_URL")
    new = {"data": {"secret": "hidden_in_the_source"}}
    document = await story.does("document.create", "POST", "/apps/shop/docs/orders", new)
    place = f"/apps/shop/docs/orders/{document['id']}"
    await story.does("document.update", "PUT", place, new)
    await story.does("document.update", "PATCH", place, new)
    await story.does("document.delete", "DELETE", place)
    file = await worker.file("shop", "orders", data=b"hidden_in_the_source")
    await story.does("file.delete", "DELETE", f"/apps/shop/files/orders/{file}")
    await story.does("route.delete", "DELETE", f"/apps/shop/routes/{route['id']}")
    await story.does("domain.delete", "DELETE", f"/apps/shop/domains/{domain['id']}")
    await story.does("script.delete", "DELETE", path)
    await story.does("app.delete", "DELETE", "/apps/shop?force=true")

    await story.does("user.delete", "DELETE", f"/users/{bob}")
    change = {"current": PASSWORD, "password": NEW_PASSWORD}
    await story.does("user.password", "POST", "/auth/password", change)
    await story.does("session.logout", "POST", "/auth/logout")

    actions = {one.action for one in ENDPOINTS if one.action and one.action.partition(".")[2] not in PROBES}
    assert story.told == actions
    await story.check_no_secret_was_told()


async def test_every_denied_action_writes_one_entry(client: Client, worker: Worker) -> None:
    """Of every endpoint with an action: asked by someone who may do nothing, for what is and what is not."""
    story = Story(client, worker.database)
    vic = await worker.person("vic")
    script = await client.script(SECRET_SOURCE)
    key = await worker.key_of(vic, ["log:read"])
    session = await worker.session_of(vic)
    story.secrets |= {key, session}
    for endpoint in ENDPOINTS:
        if not endpoint.action or endpoint.access in ("public", "user"):
            continue
        client.token = key if endpoint.access == "session" else session
        path = endpoint.path.format(
            app="default",
            script=script["id"],
            user=vic.id,
            version=1,
            route=vic.id,
            domain=vic.id,
            session=vic.id,
            collection="c",
            entry="k",
            variable="NAME",
            document=uuid4(),  # PUT and PATCH of one are the same action on the same target
            file=vic.id,
        )
        body = {"password": NEW_PASSWORD} if endpoint.method in ("POST", "PATCH", "PUT") else None
        await story.does(endpoint.action, endpoint.method, path, body, status=403)
    refused = [one for one in await story.entries() if one["outcome"] == "refused"]
    assert {one["username"] for one in refused} == {"vic"}
    assert {one["user_id"] for one in refused} == {vic.id}
    default = (await worker.platform.apps.get("default")).id
    for one in refused:
        assert one["app_id"] == (default if one["target"].startswith(("/apps/", "/scripts/")) else None)
    await story.check_no_secret_was_told()


async def test_a_write_rejected_by_the_quota_is_in_the_log(
    client: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story(client, worker.database)
    documents = [await client.admin("POST", "/apps/default/docs/c", {"data": {}}) for _ in range(2)]
    monkeypatch.setattr(worker.platform.quotas, "_limits", dict.fromkeys(STORES, Amount(0, 0)))
    entry = "/apps/default/kv/c/k"
    await story.does("kv.update", "PUT", entry, {"value": "hidden_in_the_source"}, status=507)
    data = {"data": {"a": "hidden_in_the_source"}}
    await story.does("document.create", "POST", "/apps/default/docs/c", data, status=507)
    for method, document in zip(("PUT", "PATCH"), documents, strict=True):
        path = f"/apps/default/docs/c/{document.json['id']}"
        await story.does("document.update", method, path, data, status=507)
    (first,) = [one for one in await story.entries() if one["action"] == "kv.update"]
    assert (first["username"], first["target"], first["reason"]) == (OWNER, entry, "quota_exceeded")
    assert first["app_id"] == (await worker.platform.apps.get("default")).id
    await story.check_no_secret_was_told()


async def test_a_conflict_and_a_wrong_password_are_in_the_log(client: Client, worker: Worker) -> None:
    story = Story(client, worker.database)
    await story.does("app.create", "POST", "/apps", {"slug": "default", "name": "x"}, status=409)
    await story.does("user.delete", "DELETE", f"/users/{OWNER}", status=409)
    guess = {"current": "a wrong guess", "password": NEW_PASSWORD}
    story.secrets.add("a wrong guess")
    await story.does("user.password", "POST", "/auth/password", guess, status=403)
    await story.check_no_secret_was_told()


async def test_other_failures_write_no_entry(client: Client, worker: Worker) -> None:
    count = "SELECT count(*) FROM audit_log"
    before = await worker.database.fetchval(count)
    for method, path, body in (
        ("POST", "/apps", {"slug": "NO", "name": "x"}),
        ("POST", "/users", {"username": "bob", "password": "short"}),
        ("DELETE", "/users/nobody", None),
        ("PATCH", "/apps/none", {}),
    ):
        assert (await client.admin(method, path, body)).status in (404, 422)
    client.token = None
    assert (await client.admin("POST", "/apps", {"slug": "a", "name": "a"})).status == 401
    assert await worker.database.fetchval(count) == before


async def refusals(database: Database) -> list[dict[str, Any]]:
    rows = await database.fetch("SELECT * FROM audit_log WHERE outcome = 'refused' ORDER BY id")
    return [dict(row) for row in rows]


@pytest.fixture
def one_hour(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of refusals, which a test moves; in seconds."""
    now = [time.time() // audit.HOUR * audit.HOUR]
    monkeypatch.setattr(audit.time, "time", lambda: now[0])
    return now


async def test_repeated_denials_are_counted_in_one_entry_per_hour(
    client: Client, worker: Worker, one_hour: list[float]
) -> None:
    vic = await worker.person("vic")
    client.token = await worker.session_of(vic)
    asked = [await client.admin("DELETE", "/apps/default") for _ in range(3)]
    (entry,) = await refusals(worker.database)
    assert entry["request_id"] == asked[0].headers["X-Request-Id"]
    assert (entry["times"], entry["target"]) == (3, "/apps/default")
    assert entry["last_at"] > entry["at"]
    await client.admin("DELETE", "/apps/other")
    await client.admin("PATCH", "/apps/default", {"name": "x"})
    client.token = await worker.key_of(vic)
    await client.admin("DELETE", "/apps/default")
    one_hour[0] += audit.HOUR
    await client.admin("DELETE", "/apps/default")
    assert [one["times"] for one in await refusals(worker.database)] == [3, 1, 1, 1, 1]


async def test_concurrent_denials_are_counted_exactly(worker: Worker, one_hour: list[float]) -> None:
    actor = Actor(None, "nobody", "192.0.2.1", "r", "session.login")
    await asyncio.gather(*(audit.write_denial(worker.database, actor, "x") for _ in range(200)))
    assert [one["times"] for one in await refusals(worker.database)] == [200]


async def test_a_flood_of_denials_writes_a_limited_number_of_entries(
    worker: Worker, one_hour: list[float]
) -> None:
    vic, bob = await worker.person("vic"), await worker.person("bob")
    actor, other = (
        Actor(Principal(user.id, user.username, "member"), user.username, "192.0.2.1", "r", "script.update")
        for user in (vic, bob)
    )
    for number in range(audit.MAX_AUDITED_DENIALS + 50):
        await audit.write_denial(worker.database, actor, "forbidden", target=f"/scripts/{number}")
    await audit.write_denial(worker.database, actor, "forbidden", target="/scripts/7")
    await audit.write_denial(worker.database, other, "forbidden", target="/scripts/7")
    entries = await refusals(worker.database)
    assert len(entries) == audit.MAX_AUDITED_DENIALS + 2
    *_, rest, of_bob = entries
    assert (rest["times"], rest["target"], rest["address"]) == (50, None, "")
    assert [one["target"] for one in entries if one["times"] == 2] == ["/scripts/7"]
    assert (of_bob["user_id"], of_bob["target"]) == (bob.id, "/scripts/7")


async def test_guesses_from_everywhere_are_few_entries_that_still_name_the_account(
    worker: Worker, one_hour: list[float]
) -> None:
    for number in range(audit.MAX_AUDITED_DENIALS + 50):
        actor = Actor(None, "ada", f"192.0.2.{number}", "r", "session.login")
        await audit.write_denial(worker.database, actor, "unauthenticated", target="ada's id")
    entries = await refusals(worker.database)
    assert len(entries) == audit.MAX_AUDITED_DENIALS + 1
    assert (entries[-1]["times"], entries[-1]["target"], entries[-1]["address"]) == (50, "ada's id", "")


async def test_an_entry_says_who_did_it_by_which_key_and_what_it_was_before(
    client: Client, worker: Worker
) -> None:
    bob = await worker.person("bob")
    owner = await worker.platform.accounts.get(OWNER)
    client.token = await worker.key_of(owner)
    assert (await client.admin("PATCH", "/users/bob", {"role": "admin"})).status == 200
    entry = (await client.admin("GET", "/audit?action=user.update")).json["items"][0]
    me = (await client.admin("GET", "/auth/me")).json
    assert (entry["user_id"], entry["username"], entry["key_id"]) == (me["id"], OWNER, me["key"]["id"])
    assert entry["target"] == str(bob.id)
    assert (entry["before"]["role"], entry["after"]["role"]) == ("member", "admin")


async def test_entries_outlive_the_objects_they_are_about(client: Client, worker: Worker) -> None:
    bob = await worker.person("bob", "owner")
    client.token = await worker.session_of(bob)
    await client.admin("POST", "/apps", {"slug": "shop", "name": "Shop"})
    await client.admin("DELETE", "/apps/shop")
    await client.admin("DELETE", "/users/bob")
    client.token = await worker.session_of(await worker.platform.accounts.get(OWNER))
    entries = (await client.admin("GET", f"/audit?user_id={bob.id}")).json["items"]
    assert [one["action"] for one in entries][:2] == ["user.delete", "app.delete"]
    assert {one["username"] for one in entries} == {"bob"}


async def test_a_change_and_its_entry_are_there_together_or_not_at_all(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await worker.person("ada", "owner")

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(audit, "write", broken)
    for attempt in (
        worker.platform.accounts.create("bob", PASSWORD, "member", CONSOLE),
        worker.platform.accounts.update("ada", {"username": "eve"}, CONSOLE),
        worker.platform.apps.create("shop", "Shop", actor=CONSOLE),
    ):
        with pytest.raises(RuntimeError):
            await attempt
    assert [
        await worker.database.fetchval(f"SELECT count(*) FROM {table}") for table in ("admin_users", "apps")
    ] == [
        1,
        0,
    ]
    assert (await worker.platform.accounts.get("ada")).username == "ada"


async def test_an_unwritable_denial_is_logged_and_does_not_fail_the_request(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    log = Audit(worker.database)
    await worker.database.close()
    await log.denied(Actor(None, "eve", "", "", "app.create"), "forbidden", None, "/apps")
    assert "audit entry not written: app.create was denied to eve" in caplog.text
    with pytest.raises(Unavailable):
        await worker.platform.audit.list(AuditFilter(), PageRequest())


async def test_a_target_of_any_bytes_is_kept_as_far_as_it_can_be(worker: Worker) -> None:
    await asyncio.gather(
        *(audit.write(worker.database, CONSOLE, target=text) for text in ("a\0b", "\udcff", "x" * 5000))
    )
    targets = await worker.database.fetchval(
        "SELECT array_agg(target ORDER BY length(target)) FROM audit_log"
    )
    assert targets == ["\ufffd", "a\ufffdb", "x" * 512]
