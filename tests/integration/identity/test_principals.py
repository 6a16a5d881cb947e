"""Promises of `of_user` in identity/principals.py: the current principal of a user."""

from __future__ import annotations

from uuid import uuid4

import pytest

from picloud.core.background import Background
from picloud.db.pool import Database
from picloud.identity.capabilities import may
from picloud.identity.principals import Principals
from tests.integration.conftest import CONSOLE, Worker


def another_worker(worker: Worker) -> Principals:
    """A worker of the same node: its own memory, the same shared page."""
    return Principals(worker.database, worker.generations, Background())


async def test_a_user_acts_with_their_role_and_no_key(worker: Worker) -> None:
    app, other = await worker.app("shop"), await worker.app("other")
    ada = await worker.person("ada", "owner")
    bob = await worker.person("bob", app_id=app, app_role="editor")
    await worker.key_of(bob, ["script:read"])
    owner, editor = [await worker.platform.principals.of_user(user.id) for user in (ada, bob)]
    assert owner is not None
    assert editor is not None
    assert (owner.role, owner.memberships, owner.key, owner.session_id) == ("owner", {}, None, None)
    assert (editor.role, editor.memberships, editor.key) == ("member", {app: "editor"}, None)
    assert may(editor, "kv.write", app)
    assert not may(editor, "kv.read", other)
    assert await worker.platform.principals.of_user(uuid4()) is None


async def test_what_changed_of_a_user_counts_at_once_on_every_worker(worker: Worker) -> None:
    app = await worker.app("shop")
    await worker.person("ada", "owner")
    bob = await worker.person("bob", app_id=app, app_role="viewer")
    workers = (worker.platform.principals, another_worker(worker))

    async def roles() -> list[object]:
        found = [await one.of_user(bob.id) for one in workers]
        return [one and (one.role, dict(one.memberships)) for one in found]

    assert await roles() == [("member", {app: "viewer"})] * 2
    await worker.platform.members.change(app, "bob", "app_admin", CONSOLE)
    assert await roles() == [("member", {app: "app_admin"})] * 2
    await worker.platform.members.remove(app, "bob", CONSOLE)
    assert await roles() == [("member", {})] * 2
    await worker.platform.accounts.update("bob", {"role": "admin"}, CONSOLE)
    assert await roles() == [("admin", {})] * 2
    await worker.platform.accounts.update("bob", {"is_active": False}, CONSOLE)
    assert await roles() == [None, None]
    await worker.platform.accounts.update("bob", {"is_active": True}, CONSOLE)
    assert await roles() == [("admin", {})] * 2
    await worker.platform.accounts.delete("bob", CONSOLE)
    assert await roles() == [None, None]


async def test_a_user_is_read_once_while_nothing_changed(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await worker.person("ada", "owner")
    first = await worker.platform.principals.of_user(ada.id)

    async def unexpected(self: Database, sql: str, *params: object) -> None:
        raise AssertionError(sql)

    with monkeypatch.context() as patch:
        patch.setattr(Database, "fetchrow", unexpected)
        assert await worker.platform.principals.of_user(ada.id) is first
        worker.generations.bump("sessions")
        assert await worker.platform.principals.of_user(ada.id) is first
        worker.generations.bump("users")
        with pytest.raises(AssertionError, match="admin_users"):
            await worker.platform.principals.of_user(ada.id)
