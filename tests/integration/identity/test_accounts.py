"""Promises of identity/accounts.py: permitted changes and concurrent ones."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.core.errors import Conflict, Forbidden, Invalid, NotFound, PicloudError, Unauthenticated
from picloud.core.pagination import PageRequest
from picloud.identity.account import User, is_username
from picloud.identity.actor import Actor
from picloud.identity.passwords import Passwords
from picloud.identity.principal import Principal, Role
from tests.integration.conftest import CONSOLE, PASSWORD, Worker

NEW = "battery staple"


def acting(user: User, action: str = "user.update") -> Actor:
    """A user as the author of a change, as they were when their request came."""
    principal = Principal(user.id, user.username, user.role)
    return Actor(principal, user.username, "192.0.2.1", "r1", action)


async def acting_by(worker: Worker, user: User, token: str) -> Actor:
    """The same by a session or a key."""
    principal = await worker.platform.principals.of_token(token)
    assert principal is not None
    return replace(acting(user), principal=principal)


async def log_in(worker: Worker, username: str, password: str) -> None:
    nobody = Actor(None, "nobody", "192.0.2.1", "r1", "session.login")
    await worker.platform.log_in.log_in(username, password, nobody)


async def test_a_user_is_created_found_by_id_and_name_and_listed(worker: Worker) -> None:
    users = worker.platform.accounts
    ada = await users.create("Ada", PASSWORD, "owner", CONSOLE, email="Ada@example.com")
    assert (ada.username, ada.email, ada.role, ada.is_active, ada.last_login_at) == (
        "Ada",
        "Ada@example.com",
        "owner",
        True,
        None,
    )
    assert await users.get(str(ada.id)) == await users.get("aDA") == ada
    bob = await worker.person("bob")
    first = await users.list(PageRequest(1))
    assert first.items == [ada]
    assert first.next_cursor is not None
    assert (await users.list(PageRequest(1, ada.id))).items == [bob]
    for missing in (str(uuid4()), "nobody", "", "%", "a\0b"):
        with pytest.raises(NotFound):
            await users.get(missing)


async def test_names_and_addresses_are_unique_in_any_case(worker: Worker) -> None:
    users = worker.platform.accounts
    await users.create("ada", PASSWORD, "owner", CONSOLE, email="ada@example.com")
    bob = await users.create("bob", PASSWORD, "member", CONSOLE)
    for change, field in (({"username": "ADA"}, "username"), ({"email": "ADA@EXAMPLE.com"}, "email")):
        with pytest.raises(Conflict) as refused:
            await users.update(bob.username, change, CONSOLE)  # type: ignore[arg-type]
        assert refused.value.details["field"] == field
    with pytest.raises(Conflict):
        await users.create("Ada", PASSWORD, "member", CONSOLE)
    with pytest.raises(Conflict):
        await users.create("carl", PASSWORD, "member", CONSOLE, email="Ada@Example.com")
    assert (await users.update("bob", {"username": "Bob"}, CONSOLE)).username == "Bob"
    assert (await users.create("carl", PASSWORD, "member", CONSOLE)).email is None


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        *(({"username": name}, "username") for name in ("", " a", "a b", "-a", "a\0", "x" * 65, "\u0430da")),
        ({"username": str(uuid4())}, "username"),
        ({"username": None}, "username"),
        *(
            ({"email": text}, "email")
            for text in ("", "a", "@", "a@", "a b@c", "a@b@c", "a@b\n", "x" * 250 + "@b.c")
        ),
        ({"role": "king"}, "role"),
        ({"role": None}, "role"),
        ({"is_active": None}, "is_active"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 257}, "password"),
        ({"password": None}, "password"),
    ],
)
async def test_an_invalid_value_is_rejected_with_its_field(
    worker: Worker, fields: dict[str, object], where: str
) -> None:
    bob = await worker.person("bob", "owner")
    with pytest.raises(Invalid) as refused:
        await worker.platform.accounts.update("bob", fields, CONSOLE)  # type: ignore[arg-type]
    assert refused.value.details["field"] == where
    assert await worker.platform.accounts.get("bob") == bob


@given(st.text())
def test_no_two_names_look_alike_and_none_is_an_id(text: str) -> None:
    if is_username(text):
        assert text.isascii()
        assert text.isprintable()
        assert " " not in text


async def test_a_patch_keeps_what_is_absent_and_null_clears_the_address(worker: Worker) -> None:
    users = worker.platform.accounts
    bob = await users.create("bob", PASSWORD, "member", CONSOLE, email="bob@example.com")
    assert replace(await users.update("bob", {}, CONSOLE), updated_at=bob.updated_at) == bob
    cleared = await users.update("bob", {"email": None}, CONSOLE)
    assert (cleared.email, cleared.username, cleared.role) == (None, "bob", "member")
    assert cleared.updated_at > bob.updated_at


async def test_a_deactivation_ends_every_session_and_key_permanently(worker: Worker) -> None:
    users = worker.platform.accounts
    await worker.person("ada", "owner")
    bob = await worker.person("bob", "admin")
    session, key = await worker.session_of(bob), await worker.key_of(bob)
    find = worker.platform.principals.of_token
    assert None not in (await find(session), await find(key))
    await users.update("bob", {"is_active": False}, CONSOLE)
    assert (await find(session), await find(key)) == (None, None)
    await users.update("bob", {"is_active": True}, CONSOLE)
    assert (await find(session), await find(key)) == (None, None)
    await log_in(worker, "bob", PASSWORD)


async def test_a_new_password_from_an_admin_ends_every_session_and_leaves_keys(worker: Worker) -> None:
    await worker.person("ada", "owner")
    bob = await worker.person("bob", "admin")
    session, key = await worker.session_of(bob), await worker.key_of(bob)
    find = worker.platform.principals.of_token
    assert await find(session) is not None
    await worker.platform.accounts.update("BOB", {"password": NEW}, CONSOLE)
    assert await find(session) is None
    assert await find(key) is not None
    with pytest.raises(Unauthenticated):
        await log_in(worker, "bob", PASSWORD)
    await log_in(worker, "bob", NEW)


async def test_a_deleted_user_leaves_no_session_key_or_membership(worker: Worker) -> None:
    await worker.person("ada", "owner")
    app = await worker.app("shop")
    bob = await worker.person("bob", "member", app, "editor")
    session, key = await worker.session_of(bob), await worker.key_of(bob)
    find = worker.platform.principals.of_token
    assert None not in (await find(session), await find(key))
    await worker.platform.accounts.delete("bob", CONSOLE)
    assert (await find(session), await find(key)) == (None, None)
    assert (await worker.platform.members.list(app, PageRequest())).items == []
    with pytest.raises(NotFound):
        await worker.platform.accounts.delete("bob", CONSOLE)


async def test_who_becomes_an_admin_loses_memberships_and_who_is_deactivated_keeps_them(
    worker: Worker,
) -> None:
    users = worker.platform.accounts
    await worker.person("ada", "owner")
    app = await worker.app("shop")
    bob = await worker.person("bob", "member", app, "editor")
    await users.update("bob", {"is_active": False}, CONSOLE)
    await users.update("bob", {"is_active": True}, CONSOLE)
    principal = await worker.platform.principals.of_token(await worker.session_of(bob))
    assert principal is not None
    assert principal.memberships == {app: "editor"}
    await users.update("bob", {"role": "admin"}, CONSOLE)
    await users.update("bob", {"role": "member"}, CONSOLE)
    principal = await worker.platform.principals.of_token(await worker.session_of(bob))
    assert principal is not None
    assert principal.memberships == {}


LOSSES: list[dict[str, object]] = [{"role": "admin"}, {"role": "member"}, {"is_active": False}]


@pytest.mark.parametrize("loss", [*LOSSES, None], ids=str)
async def test_the_last_active_owner_stays(worker: Worker, loss: dict[str, object] | None) -> None:
    users = worker.platform.accounts
    ada = await worker.person("ada", "owner")
    await worker.person("amy", "admin")
    bob = await worker.person("bob", "owner")
    await users.update("bob", {"is_active": False}, CONSOLE)  # an inactive owner counts for nothing

    async def lose() -> None:
        if loss is None:
            await users.delete("ada", acting(ada))
        else:
            await users.update("ada", loss, acting(ada))  # type: ignore[arg-type]

    with pytest.raises(Conflict) as refused:
        await lose()
    assert refused.value.details == {"guard": "last_owner"}
    assert await users.get("ada") == ada
    await users.update("bob", {"is_active": True}, acting(ada))
    await lose()
    assert bob.role == "owner"


@pytest.mark.parametrize("loss", [{"role": "member"}, {"is_active": False}, None], ids=str)
async def test_where_there_is_no_owner_the_last_active_admin_stays(
    worker: Worker, loss: dict[str, object] | None
) -> None:
    users = worker.platform.accounts
    await worker.person("amy", "admin")
    lost = users.delete("amy", CONSOLE) if loss is None else users.update("amy", loss, CONSOLE)  # type: ignore[arg-type]
    with pytest.raises(Conflict) as refused:
        await lost
    assert refused.value.details == {"guard": "last_admin"}


@pytest.mark.parametrize(
    "change",
    [
        {"role": "member"},
        {"role": "admin"},
        {"is_active": False},
        {"password": NEW},
        {"email": "a@b.c"},
        {"username": "x"},
        None,
    ],
    ids=str,
)
async def test_only_an_owner_changes_or_deletes_an_owner(
    worker: Worker, change: dict[str, object] | None
) -> None:
    users = worker.platform.accounts
    ada, amy = await worker.person("ada", "owner"), await worker.person("amy", "admin")
    await worker.person("bob", "owner")

    async def touch(actor: Actor) -> None:
        if change is None:
            await users.delete("bob", actor)
        else:
            await users.update("bob", change, actor)  # type: ignore[arg-type]

    for token in (await worker.session_of(amy), await worker.key_of(amy)):
        actor = await acting_by(worker, amy, token)
        with pytest.raises(Forbidden):
            await touch(actor)
    await touch(acting(ada))


async def test_only_an_owner_can_create_an_owner(worker: Worker) -> None:
    users = worker.platform.accounts
    ada, amy = await worker.person("ada", "owner"), await worker.person("amy", "admin")
    await worker.person("bob")
    for name in ("amy", "bob"):
        with pytest.raises(Forbidden):
            await users.update(name, {"role": "owner"}, acting(amy))
    with pytest.raises(Forbidden):
        await users.create("eve", PASSWORD, "owner", acting(amy))
    await users.update("bob", {"role": "admin"}, acting(amy))
    assert (await users.update("bob", {"role": "owner"}, acting(ada))).role == "owner"


async def test_no_user_resets_their_password_without_the_current_one(worker: Worker) -> None:
    ada = await worker.person("ada", "owner")
    for token in (await worker.session_of(ada), await worker.key_of(ada)):
        actor = await acting_by(worker, ada, token)
        await worker.platform.accounts.update("ada", {"email": "ada@example.com"}, actor)
        with pytest.raises(Forbidden):
            await worker.platform.accounts.update("ada", {"password": NEW}, actor)


async def test_the_current_role_of_a_user_decides(worker: Worker) -> None:
    """Guards ask anew under the lock: a demotion, deactivation or deletion meanwhile counts."""
    users = worker.platform.accounts
    for name, change in (("one", {"role": "member"}), ("two", {"is_active": False}), ("three", None)):
        await users.create("root", PASSWORD, "owner", CONSOLE)
        stale = acting(await worker.person(name, "owner"))
        if change is None:
            await users.delete(name, CONSOLE)
        else:
            await users.update(name, change, CONSOLE)  # type: ignore[arg-type]
        with pytest.raises(Forbidden):
            await users.update("root", {"is_active": False}, stale)
        with pytest.raises(Forbidden):
            await users.create("eve", PASSWORD, "member", stale)
        await users.create("spare", PASSWORD, "owner", CONSOLE)
        await users.delete("root", CONSOLE)
        await users.update("spare", {"username": f"spare-{name}"}, CONSOLE)


async def _owners(worker: Worker) -> int:
    return int(
        await worker.database.fetchval("SELECT count(*) FROM admin_users WHERE role = 'owner' AND is_active")
    )


@pytest.mark.parametrize("loss", [*LOSSES, None], ids=str)
async def test_two_owners_removing_each_other_leave_one(
    worker: Worker, loss: dict[str, object] | None
) -> None:
    users = worker.platform.accounts
    for n in range(8):
        pair = [await worker.person(f"{name}{n}", "owner") for name in ("ada", "bob")]
        await worker.database.execute(
            "UPDATE admin_users SET is_active = false WHERE id <> ALL ($1)", [one.id for one in pair]
        )

        async def remove(actor: User, other: User) -> None:
            if loss is None:
                await users.delete(str(other.id), acting(actor))
            else:
                await users.update(str(other.id), loss, acting(actor))  # type: ignore[arg-type]

        answers = await asyncio.gather(remove(*pair), remove(*reversed(pair)), return_exceptions=True)
        refused = [answer for answer in answers if isinstance(answer, PicloudError)]
        assert len(refused) == 1
        assert isinstance(refused[0], Conflict | Forbidden)
        assert await _owners(worker) == 1


async def test_the_last_owner_deleted_from_two_sessions_at_once_stays(worker: Worker) -> None:
    users = worker.platform.accounts
    ada, bob = await worker.person("ada", "owner"), await worker.person("bob", "owner")
    answers = await asyncio.gather(
        users.delete("ada", acting(ada)),
        users.delete("bob", acting(ada)),
        users.delete("ada", acting(bob)),
        users.delete("bob", acting(bob)),
        return_exceptions=True,
    )
    assert [answer for answer in answers if answer is None] == [None]
    assert await _owners(worker) == 1


async def test_one_name_given_to_two_users_concurrently_is_given_once(worker: Worker) -> None:
    answers = await asyncio.gather(
        *(
            worker.platform.accounts.create("Ada" if n % 2 else "ada", PASSWORD, "member", CONSOLE)
            for n in range(6)
        ),
        return_exceptions=True,
    )
    assert [isinstance(answer, User) for answer in answers].count(True) == 1
    assert all(isinstance(answer, User | Conflict) for answer in answers)


async def test_a_password_is_changed_by_who_knows_it_and_ends_the_other_sessions(worker: Worker) -> None:
    users, find = worker.platform.accounts, worker.platform.principals.of_token
    ada = await worker.person("ada", "owner")
    mine, other, key = await worker.session_of(ada), await worker.session_of(ada), await worker.key_of(ada)
    principal = await find(mine)
    assert principal is not None
    actor = Actor(principal, "ada", "192.0.2.1", "r1", "user.password")
    with pytest.raises(Forbidden) as refused:
        await users.change_password(actor, "not the one I have", NEW)
    assert refused.value.details == {"field": "current"}
    with pytest.raises(Invalid):
        await users.change_password(actor, PASSWORD, "short")
    await users.change_password(actor, PASSWORD, NEW)
    assert await find(mine) is not None
    assert await find(other) is None
    with pytest.raises(Forbidden):
        await users.change_password(Actor(await find(key), "ada", "", "", "user.password"), NEW, PASSWORD)
    await log_in(worker, "ada", NEW)


async def test_concurrent_changes_of_one_password_apply_once(worker: Worker) -> None:
    ada = await worker.person("ada", "owner")
    principal = await worker.platform.principals.of_token(await worker.session_of(ada))
    actor = Actor(principal, "ada", "192.0.2.1", "r1", "user.password")
    answers = await asyncio.gather(
        *(worker.platform.accounts.change_password(actor, PASSWORD, f"{NEW} {n}") for n in range(3)),
        return_exceptions=True,
    )
    assert [answer for answer in answers if answer is None] == [None]
    refused = [answer for answer in answers if answer is not None]
    assert {type(answer) for answer in refused} <= {Conflict, Forbidden}, refused


async def test_a_user_deleted_during_a_password_change_gets_an_error(
    worker: Worker, passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    await worker.person("root", "owner")
    ada = await worker.person("ada")
    principal = await worker.platform.principals.of_token(await worker.session_of(ada))
    actor = Actor(principal, "ada", "192.0.2.1", "r1", "user.password")
    hash_it = passwords.hash

    async def meanwhile(password: str) -> str:
        await worker.platform.accounts.delete("ada", CONSOLE)
        return await hash_it(password)

    monkeypatch.setattr(passwords, "hash", meanwhile)
    with pytest.raises(Unauthenticated):
        await worker.platform.accounts.change_password(actor, PASSWORD, NEW)


@pytest.mark.parametrize("role", ["owner", "admin", "member"])
async def test_a_user_of_each_role_can_be_created(worker: Worker, role: Role) -> None:
    await worker.person("root", "owner")
    made = await worker.person("ada", role)
    principal = await worker.platform.principals.of_token(await worker.session_of(made))
    assert principal is not None
    assert principal.role == role
