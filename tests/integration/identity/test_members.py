"""Promises of identity/members.py."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from picloud.core.errors import Conflict, Invalid, NotFound, PicloudError
from picloud.core.pagination import PageRequest
from picloud.identity.account import User
from picloud.identity.actor import Actor
from picloud.identity.capabilities import may
from picloud.identity.members import Member
from picloud.identity.principal import Principal, Role
from tests.integration.conftest import CONSOLE, Worker


async def principal_of(worker: Worker, token: str) -> Principal:
    principal = await worker.platform.principals.of_token(token)
    assert principal is not None
    return principal


async def test_a_membership_is_granted_changed_listed_and_removed_immediately(worker: Worker) -> None:
    members = worker.platform.members
    shop, other = await worker.app("shop"), await worker.app("other")
    vic = await worker.person("vic")
    token = await worker.session_of(vic)
    assert not may(await principal_of(worker, token), "app.read", shop)
    granted = await members.grant(shop, "VIC", "viewer", CONSOLE)
    assert (granted.user_id, granted.username, granted.role) == (vic.id, "vic", "viewer")
    principal = await principal_of(worker, token)
    assert may(principal, "app.read", shop)
    assert not may(principal, "script.write", shop)
    assert not may(principal, "app.read", other)
    changed = await members.change(shop, str(vic.id), "editor", CONSOLE)
    assert (changed.role, changed.created_at) == ("editor", granted.created_at)
    assert changed.updated_at > granted.updated_at
    assert may(await principal_of(worker, token), "script.write", shop)
    assert (await members.list(shop, PageRequest())).items == [changed]
    assert (await members.list(other, PageRequest())).items == []
    await members.remove(shop, "vic", CONSOLE)
    assert not may(await principal_of(worker, token), "app.read", shop)
    await members.remove(shop, "vic", CONSOLE)


async def test_a_grant_that_is_there_is_a_conflict_and_one_that_is_not_cannot_be_changed(
    worker: Worker,
) -> None:
    members = worker.platform.members
    shop, other = await worker.app("shop"), await worker.app("other")
    await worker.person("vic", "member", shop)
    with pytest.raises(Conflict):
        await members.grant(shop, "vic", "editor", CONSOLE)
    with pytest.raises(NotFound):
        await members.change(other, "vic", "editor", CONSOLE)
    assert [one.role for one in (await members.list(shop, PageRequest())).items] == ["viewer"]


@pytest.mark.parametrize("who", ["nobody", "0b7e4c1a-5d0f-4f5e-9a51-3c2b7d9e8f60", "", "\0", "x" * 500])
async def test_a_missing_user_is_not_found_and_removal_succeeds(worker: Worker, who: str) -> None:
    shop = await worker.app("shop")
    with pytest.raises(NotFound):
        await worker.platform.members.grant(shop, who, "viewer", CONSOLE)
    with pytest.raises(NotFound):
        await worker.platform.members.change(shop, who, "viewer", CONSOLE)
    await worker.platform.members.remove(shop, who, CONSOLE)


async def test_an_app_admin_does_not_learn_which_users_exist(worker: Worker) -> None:
    """Also not from the audit log of the app."""
    shop, other = await worker.app("shop"), await worker.app("other")
    members, token = worker.platform.members, await worker.session_of(await worker.person("boss"))
    await members.grant(shop, "boss", "app_admin", CONSOLE)
    boss = Actor(await principal_of(worker, token), "boss", "", "", "member.grant")
    await worker.person("ada", "owner")
    vic = await worker.person("vic")
    await members.grant(other, "vic", "viewer", CONSOLE)
    lou = await worker.person("lou")
    await worker.platform.accounts.update("lou", {"is_active": False}, CONSOLE)

    def told(error: BaseException, name: str) -> tuple[object, ...]:
        assert isinstance(error, PicloudError)
        return type(error), error.message.replace(name, "NAME"), error.details

    granted, changed = set(), set()
    for name in ("nobody", "ada", "lou", str(uuid4()), str(lou.id)):
        with pytest.raises(NotFound) as error:
            await members.grant(shop, name, "viewer", boss)
        granted.add(repr(told(error.value, name)))
    for name in ("nobody", "ada", "vic", str(vic.id)):
        with pytest.raises(NotFound) as error:
            await members.change(shop, name, "viewer", boss)
        changed.add(repr(told(error.value, name)))
        await members.remove(shop, name, boss)
    assert (len(granted), len(changed)) == (1, 1)
    rows = await worker.database.fetch(
        "SELECT target FROM audit_log WHERE username = 'boss' AND app_id = $1", shop
    )
    assert {row["target"] for row in rows} == {"nobody", "ada", "vic", str(vic.id)}


async def test_a_member_is_listed_with_the_facts_of_its_account(worker: Worker) -> None:
    shop, members = await worker.app("shop"), worker.platform.members
    await worker.person("vic")
    await worker.platform.accounts.update("vic", {"email": "vic@example.com"}, CONSOLE)
    granted = await members.grant(shop, "vic", "viewer", CONSOLE)
    assert (granted.email, granted.instance_role, granted.is_active) == ("vic@example.com", "member", True)
    await worker.platform.accounts.update("vic", {"is_active": False}, CONSOLE)
    assert (await members.list(shop, PageRequest())).items == [replace(granted, is_active=False)]


async def test_a_deleted_app_is_not_found(worker: Worker) -> None:
    await worker.person("vic")
    with pytest.raises(NotFound):
        await worker.platform.members.grant(uuid4(), "vic", "viewer", CONSOLE)


@pytest.mark.parametrize("role", ["owner", "admin"])
async def test_owners_and_admins_cannot_be_members(worker: Worker, role: Role) -> None:
    shop = await worker.app("shop")
    await worker.person("ada", role)
    with pytest.raises(Invalid) as refused:
        await worker.platform.members.grant(shop, "ada", "viewer", CONSOLE)
    assert refused.value.details == {"field": "user", "reason": "not_a_member"}


async def test_the_inactive_are_neither_granted_nor_changed(worker: Worker) -> None:
    shop, other = await worker.app("shop"), await worker.app("other")
    await worker.person("vic", "member", shop)
    await worker.platform.accounts.update("vic", {"is_active": False}, CONSOLE)
    for attempt in (
        worker.platform.members.grant(other, "vic", "viewer", CONSOLE),
        worker.platform.members.change(shop, "vic", "editor", CONSOLE),
    ):
        with pytest.raises(Invalid) as refused:
            await attempt
        assert refused.value.details == {"field": "user", "reason": "inactive"}


async def test_concurrent_grants_create_one_and_a_conflict(worker: Worker) -> None:
    shop = await worker.app("shop")
    for n in range(10):
        await worker.person(f"vic{n}")
        answers = await asyncio.gather(
            *(worker.platform.members.grant(shop, f"vic{n}", role, CONSOLE) for role in ("viewer", "editor")),  # type: ignore[arg-type]
            return_exceptions=True,
        )
        assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "Member"]


@pytest.mark.parametrize("change", [{"role": "admin"}, {"is_active": False}], ids=str)
async def test_a_grant_at_the_time_of_a_promotion_leaves_no_row_behind(
    worker: Worker, change: dict[str, object]
) -> None:
    shop = await worker.app("shop")
    await worker.person("root", "owner")
    for n in range(8):
        vic = await worker.person(f"vic{n}")
        granted, changed = await asyncio.gather(
            worker.platform.members.grant(shop, vic.username, "editor", CONSOLE),
            worker.platform.accounts.update(vic.username, change, CONSOLE),  # type: ignore[arg-type]
            return_exceptions=True,
        )
        assert isinstance(changed, User)
        assert isinstance(granted, Member | Invalid), granted
        rows = (await worker.platform.members.list(shop, PageRequest(200))).items
        assert vic.id not in {row.user_id for row in rows} or "role" not in change


@pytest.mark.parametrize("column", ["role = 'admin'", "is_active = false"])
@pytest.mark.parametrize("is_member", [False, True], ids=["grant", "change"])
async def test_a_grant_or_change_waits_for_who_is_promoting_or_deactivating_and_sees_it(
    worker: Worker, column: str, is_member: bool
) -> None:
    shop, database, members = await worker.app("shop"), worker.database, worker.platform.members
    vic = await worker.person("vic", "member", shop if is_member else None)
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with database.transaction() as connection:
        await connection.execute(f"UPDATE admin_users SET {column} WHERE id = $1", vic.id)
        write = members.change if is_member else members.grant
        task = asyncio.create_task(write(shop, "vic", "editor", CONSOLE))
        async with asyncio.timeout(20):
            while not task.done() and not await database.fetchval(waiting):  # noqa: ASYNC110  # PostgreSQL's
                await asyncio.sleep(0.01)
        assert not task.done()
    with pytest.raises(Invalid):
        await task
    assert [one.role for one in (await members.list(shop, PageRequest())).items] == ["viewer"] * is_member


async def test_changes_and_removals_at_once_never_leave_a_row_that_was_removed(worker: Worker) -> None:
    shop = await worker.app("shop")
    for n in range(8):
        vic = await worker.person(f"vic{n}", "member", shop)
        answers = await asyncio.gather(
            worker.platform.members.change(shop, vic.username, "editor", CONSOLE),
            worker.platform.members.remove(shop, vic.username, CONSOLE),
            worker.platform.members.change(shop, vic.username, "app_admin", CONSOLE),
            return_exceptions=True,
        )
        assert all(isinstance(one, Member | NotFound | None) for one in answers), answers
        assert not any(isinstance(one, PicloudError) and one.status >= 500 for one in answers)
        assert (await worker.platform.members.list(shop, PageRequest())).items == []


async def test_the_list_comes_in_pages(worker: Worker) -> None:
    shop = await worker.app("shop")
    for n in range(5):
        await worker.person(f"vic{n}", "member", shop)
    names: list[str] = []
    after = None
    while True:
        page = await worker.platform.members.list(shop, PageRequest(2, after))
        names += [one.username for one in page.items]
        if page.next_cursor is None:
            break
        after = page.items[-1].user_id
    assert names == [f"vic{n}" for n in range(5)]
