"""Scripts as principals: what a script does for a caller, that caller may do themselves."""

from __future__ import annotations

import pytest

from tests.integration.conftest import Worker
from tests.integration.http.conftest import Client

READS = 'kv::collection("c").get("k")'
WRITES = 'kv::collection("c").set("k", 1)'


async def refused(client: Client, source: str, token: str | None) -> str | None:
    """Execute a script for a caller; what it could not do, or None."""
    script = await client.script(source, name=f"s{hash((source, token))}", app="shop")
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {"Authorization": ""}
    answer = await client.execute(script, headers=headers)
    assert answer.status in (200, 502), answer.body
    return None if answer.status < 400 else str(answer.json["error"]["message"])


async def test_a_script_does_no_more_for_its_caller_than_they_may(client: Client, worker: Worker) -> None:
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
            assert may or f"the caller needs the capability {capability}" in str(said)


@pytest.mark.parametrize("caught", [True, False])
async def test_what_was_refused_did_not_happen(client: Client, worker: Worker, caught: bool) -> None:
    shop = await worker.app("shop")
    viewer = await worker.session_of(await worker.person("vera", app_id=shop, app_role="viewer"))
    source = f"try {{ {WRITES} }} catch (e) {{ e }}" if caught else WRITES
    said = await refused(client, source, viewer)
    assert (said is None) == caught
    assert await worker.database.fetchval("SELECT count(*) FROM kv_entries") == 0
