"""Scripts as principals: a script has at most the capabilities of its caller."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from picloud.http.edge.request_body import read_body
from picloud.http.public import execute
from picloud.http.public import routes as public
from picloud.identity.principal import AppRole
from tests.integration.conftest import Worker
from tests.integration.http.conftest import Client

READS = 'kv::collection("c").get("k")'
WRITES = 'kv::collection("c").set("k", 1)'


async def refused(client: Client, source: str, token: str | None) -> str | None:
    """Execute a script for a caller; what it could not do, or None."""
    script = await client.script(source, name=f"s{hash((source, token))}", app="shop", execute_access="open")
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {"Authorization": ""}
    answer = await client.execute(script, headers=headers)
    assert answer.status in (200, 502), answer.body
    return None if answer.status < 400 else str(answer.json["error"]["message"])


async def test_a_script_has_only_the_capabilities_of_its_caller(client: Client, worker: Worker) -> None:
    shop, other = await worker.app("shop"), await worker.app("other")
    owner = await worker.person("root", "owner")
    viewer = await worker.person("vera", app_id=shop, app_role="viewer")
    editor = await worker.person("ed", app_id=shop, app_role="editor")
    outsider = await worker.person("otto", app_id=other, app_role="app_admin")
    for token, reads, writes in (
        (None, True, True),
        ("no token of ours", True, True),
        (await worker.session_of(owner), True, True),
        (await worker.session_of(editor), True, True),
        (await worker.session_of(viewer), True, False),
        (await worker.session_of(outsider), False, False),
        (await worker.key_of(owner, ["script:read"]), True, False),
        (await worker.key_of(owner, ["log:read"]), False, False),
        (await worker.key_of(owner, ["script:read", "script:write"], shop), True, True),
        (await worker.key_of(owner, ["script:read", "script:write"], other), False, False),
    ):
        for source, may, capability in ((READS, reads, "kv.read"), (WRITES, writes, "kv.write")):
            said = await refused(client, source, token)
            assert (said is None) == may, (token, source, said)
            assert may or capability in str(said)


@pytest.mark.parametrize("caught", [True, False])
async def test_a_denied_call_has_no_effect(client: Client, worker: Worker, caught: bool) -> None:
    shop = await worker.app("shop")
    viewer = await worker.session_of(await worker.person("vera", app_id=shop, app_role="viewer"))
    source = f"try {{ {WRITES} }} catch (e) {{ e }}" if caught else WRITES
    said = await refused(client, source, viewer)
    assert (said is None) == caught
    assert await worker.database.fetchval("SELECT count(*) FROM kv_entries") == 0


@pytest.mark.parametrize(
    ("ends", "role", "before", "after"),
    [
        ("key", "viewer", 502, 200),  # nobody may what a viewer may not
        ("session", "viewer", 502, 200),
        ("membership", "editor", 200, 502),
    ],
)
@pytest.mark.parametrize(
    ("ingress", "access"), [("route", "open"), ("execute", "open"), ("execute", "members")]
)
async def test_a_credential_that_ends_while_a_body_arrives_is_rejected(
    client: Client,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
    ends: str,
    role: AppRole,
    before: int,
    after: int,
    ingress: str,
    access: str,
) -> None:
    app_id = UUID((await client.admin("GET", "/apps/default")).json["id"])
    vic = await worker.person("vic", app_id=app_id, app_role=role)
    token = await (worker.key_of(vic) if ends == "key" else worker.session_of(vic))
    script = await client.script(WRITES, name="writes", execute_access=access)
    await client.route(script, "/writes", "POST")
    path = "/writes" if ingress == "route" else f"/api/v1/execute/{script['id']}"
    sent: dict[str, Any] = {"headers": {"Authorization": f"Bearer {token}"}, "data": b"all of it"}
    assert (await client("POST", path, **sent)).status == before

    async def meanwhile(*arguments: Any) -> bytes:
        if ends == "membership":
            undone = await client.admin("DELETE", "/apps/default/members/vic")
        else:
            undone = await client.admin("PATCH", "/users/vic", {"is_active": False})
        assert undone.status < 300
        return await read_body(*arguments)

    monkeypatch.setattr(public if ingress == "route" else execute, "read_body", meanwhile)
    answer = await client("POST", path, **sent)
    if access == "members":
        after = 403 if ends == "membership" else 401
    assert answer.status == after


async def test_a_script_that_is_closed_while_a_body_arrives_is_closed_to_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = await client.script("1")

    async def meanwhile(*arguments: Any) -> bytes:
        body = {"execute_access": "members", "version": 1}
        assert (await client.admin("PATCH", f"/scripts/{script['id']}", body)).status == 200
        return await read_body(*arguments)

    monkeypatch.setattr(execute, "read_body", meanwhile)
    nobody = {"Authorization": ""}
    assert (await client.execute(script, headers=nobody, data=b"all of it")).status == 401


async def test_no_body_of_an_anonymous_caller_is_read_for_a_members_script(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = await client.script("1", execute_access="members")

    async def never(*_: Any) -> bytes:
        raise AssertionError("it was read")

    monkeypatch.setattr(execute, "read_body", never)
    assert (await client.execute(script, headers={"Authorization": ""}, data=b"all of it")).status == 401
