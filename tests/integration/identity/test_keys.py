"""Promises of identity/keys.py and of keys in identity/principals.py."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from picloud.core.background import Background
from picloud.core.errors import Conflict, Forbidden, Invalid, NotFound, PicloudError
from picloud.core.pagination import PageRequest
from picloud.identity.account import User
from picloud.identity.actor import Actor
from picloud.identity.capabilities import SCOPES, may
from picloud.identity.keys import Key, Keys, NewKey
from picloud.identity.principal import Principal
from picloud.identity.principals import Principals
from picloud.identity.tokens import token_hash
from tests.integration.conftest import CONSOLE, PASSWORD, Worker
from tests.integration.identity.later import an_hour_later


async def in_person(worker: Worker, user: User) -> Principal:
    principal = await worker.platform.principals.of_token(await worker.session_of(user))
    assert principal is not None
    return principal


async def by_key(worker: Worker, key: str) -> Principal:
    principal = await worker.platform.principals.of_token(key)
    assert principal is not None
    return principal


async def create(worker: Worker, caller: Principal, **fields: object) -> tuple[Key, str]:
    new = NewKey(**{"name": "ci", "scopes": ["script:read"], **fields})  # type: ignore[arg-type]
    actor = Actor(caller, caller.username, "", "", "key.create")
    return await worker.platform.keys.create(new, caller, actor)


async def test_a_key_is_shown_once_and_stored_as_a_hash_with_a_prefix_that_finds_it(worker: Worker) -> None:
    ada = await worker.person("ada", "owner")
    key, secret = await create(worker, await in_person(worker, ada), scopes=["log:read", "script:read"])
    assert re.fullmatch("pic_[a-z2-7]{52}", secret)
    assert key.prefix == secret[4:12]
    assert key.scopes == ["script:read", "log:read"]
    row = await worker.database.fetchrow("SELECT * FROM api_keys")
    assert row is not None
    assert row["key_hash"] == token_hash(secret)
    assert secret[12:] not in str(dict(row))
    principal = await by_key(worker, secret)
    assert (await worker.platform.keys.list(ada.id, PageRequest(), principal)).items == [key]
    assert (principal.kind, principal.user_id, principal.session_id) == ("api_key", ada.id, None)
    assert principal.key is not None
    assert (principal.key.id, principal.key.scopes) == (key.id, {"script:read", "log:read"})


async def test_an_altered_key_is_rejected(worker: Worker) -> None:
    secret = await worker.key_of(await worker.person("ada", "owner"))
    other_end = secret[:-1] + ("b" if secret[-1] == "a" else "a")
    for wrong in (secret[:-1], secret + "a", secret.upper(), other_end, secret[4:], secret[:12] + "a" * 44):
        assert await worker.platform.principals.of_token(wrong) is None
    for wrong in (secret + "\n", "\x01" + secret, secret[:20] + "\0" + secret[21:], "pic_" + "\u00e4" * 52):
        assert await worker.platform.principals.of_token(wrong) is None


async def test_keys_per_user_are_limited_also_for_concurrent_requests(worker: Worker) -> None:
    ada, bob = await worker.person("ada", "owner"), await worker.person("bob")
    keys = Keys(worker.database, worker.changes, max_keys=3)
    caller = await in_person(worker, ada)
    new = NewKey(name="ci", scopes=["log:read"])
    made = await asyncio.gather(
        *(keys.create(new, caller, CONSOLE) for _ in range(20)), return_exceptions=True
    )
    refused = [one for one in made if isinstance(one, Conflict)]
    assert len(refused) == 17
    assert refused[0].details == {"limit": 3}
    await keys.create(new, await in_person(worker, bob), CONSOLE)
    mine = (await keys.list(ada.id, PageRequest(), caller)).items
    await keys.delete(mine[0].id, caller, CONSOLE)
    await keys.create(new, caller, CONSOLE)


async def test_keys_that_share_a_prefix_are_told_apart(worker: Worker) -> None:
    ada, bob = await worker.person("ada", "owner"), await worker.person("bob")
    first, second = await worker.key_of(ada), await worker.key_of(bob)
    twin = first[:12] + second[12:]
    await worker.database.execute(
        "UPDATE api_keys SET prefix = $1, key_hash = $2 WHERE user_id = $3",
        first[4:12],
        token_hash(twin),
        bob.id,
    )
    assert (await by_key(worker, first)).user_id == ada.id
    assert (await by_key(worker, twin)).user_id == bob.id


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 129}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["script:rule"]}, "scopes"),
        ({"scopes": ["instance:admin"], "app_id": uuid4()}, "scopes"),
        ({"expires_at": datetime.now(UTC)}, "expires_at"),
        ({"expires_at": datetime(1, 1, 1, tzinfo=UTC)}, "expires_at"),
    ],
)
async def test_an_invalid_key_is_rejected_with_its_field(
    worker: Worker, fields: dict[str, object], where: str
) -> None:
    caller = await in_person(worker, await worker.person("ada", "owner"))
    with pytest.raises(Invalid) as refused:
        await create(worker, caller, **fields)
    assert refused.value.details["field"] == where


async def test_a_key_is_bound_only_to_an_app_its_user_can_read(worker: Worker) -> None:
    shop, other = await worker.app("shop"), await worker.app("other")
    ada = await in_person(worker, await worker.person("ada", "owner"))
    vic = await in_person(worker, await worker.person("vic", "member", shop))
    key, _ = await create(worker, vic, app_id=shop)
    assert key.app_id == shop
    await create(worker, ada, app_id=shop)
    with pytest.raises(NotFound):
        await create(worker, ada, app_id=uuid4())
    with pytest.raises(Forbidden) as of_others:
        await create(worker, vic, app_id=other)
    with pytest.raises(Forbidden) as of_none:
        await create(worker, vic, app_id=uuid4())
    assert of_others.value.message == of_none.value.message


async def test_scopes_beyond_the_users_role_grant_nothing(worker: Worker) -> None:
    shop = await worker.app("shop")
    vic = await worker.person("vic", "member", shop)
    principal = await by_key(worker, await worker.key_of(vic, SCOPES))
    assert may(principal, "app.read", shop)
    assert not may(principal, "script.write", shop)
    assert not may(principal, "instance.manage_users")


async def test_a_key_has_at_most_the_current_rights_of_its_user(worker: Worker) -> None:
    shop = await worker.app("shop")
    vic = await worker.person("vic", "member", shop, "editor")
    bound = await worker.key_of(vic, ["script:write"], shop)
    assert may(await by_key(worker, bound), "script.write", shop)
    await worker.platform.members.remove(shop, "vic", CONSOLE)
    assert not may(await by_key(worker, bound), "script.write", shop)


async def test_a_key_goes_with_its_app(worker: Worker) -> None:
    shop = await worker.app("shop")
    ada = await worker.person("ada", "owner")
    bound, free = await worker.key_of(ada, ["script:read"], shop), await worker.key_of(ada)
    assert await worker.platform.principals.of_token(bound) is not None
    app = await worker.platform.apps.get("shop")
    await worker.platform.apps.delete(app, force=True, actor=CONSOLE)
    assert await worker.platform.principals.of_token(bound) is None
    assert await worker.platform.principals.of_token(free) is not None


async def test_a_key_manages_only_keys_within_its_own(worker: Worker) -> None:
    shop, other = await worker.app("shop"), await worker.app("other")
    ada = await worker.person("ada", "owner")
    person = await in_person(worker, ada)
    soon = datetime.now(UTC) + timedelta(hours=1)
    narrow = await by_key(worker, await worker.key_of(ada, ["script:read", "log:read"], shop, soon))
    wider: list[dict[str, object]] = [
        {"scopes": ["script:write"], "app_id": shop, "expires_at": soon},
        {"scopes": ["script:read"], "app_id": None, "expires_at": soon},
        {"scopes": ["script:read"], "app_id": other, "expires_at": soon},
        {"scopes": ["script:read"], "app_id": shop, "expires_at": None},
        {"scopes": ["script:read"], "app_id": shop, "expires_at": soon + timedelta(seconds=1)},
    ]
    actor = Actor(narrow, "ada", "", "", "key.revoke")
    for fields in wider:
        with pytest.raises(Forbidden):
            await create(worker, narrow, **fields)
        made, _ = await create(worker, person, **fields)
        with pytest.raises(Forbidden):
            await worker.platform.keys.delete(made.id, narrow, actor)
    await create(worker, person, **wider[0])
    made, _ = await create(worker, narrow, scopes=["log:read"], app_id=shop, expires_at=soon)
    assert narrow.key is not None
    seen = (await worker.platform.keys.list(ada.id, PageRequest(), narrow)).items
    assert {one.id for one in seen} == {narrow.key.id, made.id}
    assert len((await worker.platform.keys.list(ada.id, PageRequest(), person)).items) == 8
    await worker.platform.keys.delete(made.id, narrow, actor)
    await worker.platform.keys.delete(narrow.key.id, narrow, actor)  # and may end itself


async def test_who_can_revoke_whose_key(worker: Worker) -> None:
    people = {
        name: await worker.person(name, role)
        for name, role in (("ada", "owner"), ("bob", "owner"), ("amy", "admin"), ("vic", "member"))  # type: ignore[arg-type]
    }
    expected: dict[tuple[str, str], type[PicloudError] | None] = {
        ("vic", "vic"): None,
        ("vic", "ada"): NotFound,
        ("vic", "amy"): NotFound,
        ("amy", "vic"): None,
        ("amy", "ada"): Forbidden,
        ("ada", "amy"): None,
        ("ada", "bob"): None,
    }
    for (who, whose), error in expected.items():
        caller = await in_person(worker, people[who])
        key, secret = await create(worker, await in_person(worker, people[whose]))
        actor = Actor(caller, who, "", "", "key.revoke")
        assert await worker.platform.principals.of_token(secret) is not None
        if error is None:
            await worker.platform.keys.delete(key.id, caller, actor)
            assert await worker.platform.principals.of_token(secret) is None
            with pytest.raises(NotFound):
                await worker.platform.keys.delete(key.id, caller, actor)
        else:
            with pytest.raises(error):
                await worker.platform.keys.delete(key.id, caller, actor)
            assert await worker.platform.principals.of_token(secret) is not None


async def test_a_revoked_key_is_rejected_on_every_worker_by_the_next_request(worker: Worker) -> None:
    here, there = worker.platform.principals, Principals(worker.database, worker.generations, Background())
    caller = await in_person(worker, await worker.person("ada", "owner"))
    for _ in range(20):
        key, secret = await create(worker, caller)
        assert await here.of_token(secret) == await there.of_token(secret) is not None
        await worker.platform.keys.delete(key.id, caller, CONSOLE)
        assert (await here.of_token(secret), await there.of_token(secret)) == (None, None)


async def test_an_expired_key_is_rejected_also_from_memory(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await worker.person("ada", "owner")
    secret = await worker.key_of(ada, expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert await worker.platform.principals.of_token(secret) is not None
    # No write is announced: only the end that was kept in memory can tell.
    await worker.database.execute("UPDATE api_keys SET expires_at = now()")
    an_hour_later(monkeypatch)
    assert await worker.platform.principals.of_token(secret) is None


async def test_the_last_use_is_noted_once_a_minute_and_not_on_the_callers_way(worker: Worker) -> None:
    ada = await worker.person("ada", "owner")
    secret = await worker.key_of(ada)

    async def used() -> datetime | None:
        worker.generations.bump("sessions")
        await worker.platform.principals.of_token(secret)
        await worker.platform.background.drain()
        noted: datetime | None = await worker.database.fetchval("SELECT last_used_at FROM api_keys")
        return noted

    first = await used()
    assert first is not None
    assert await used() == first
    await worker.database.execute("UPDATE api_keys SET last_used_at = now() - interval '61 seconds'")
    later = await used()
    assert later is not None
    assert later > first
    async with worker.database.transaction() as connection:  # the row is held: a caller must not wait for it
        await connection.execute("UPDATE api_keys SET last_used_at = now() - interval '61 seconds'")
        worker.generations.bump("sessions")
        async with asyncio.timeout(60):
            assert await worker.platform.principals.of_token(secret) is not None


async def test_no_key_is_created_for_a_user_deactivated_in_the_meantime(worker: Worker) -> None:
    await worker.person("root", "owner")
    for n in range(8):
        user = await worker.person(f"ada{n}")
        caller = await in_person(worker, user)
        made, _ = await asyncio.gather(
            create(worker, caller),
            worker.platform.accounts.update(user.username, {"is_active": False}, CONSOLE),
            return_exceptions=True,
        )
        if not isinstance(made, BaseException):
            assert await worker.platform.principals.of_token(made[1]) is None
        assert (await worker.platform.keys.list(user.id, PageRequest(), caller)).items == []
        with pytest.raises(Forbidden):
            await create(worker, caller)


async def test_no_key_is_created_by_a_credential_ended_in_the_meantime(worker: Worker) -> None:
    user = await worker.person("ada")
    person, program = await in_person(worker, user), await by_key(worker, await worker.key_of(user))
    await create(worker, person)
    await create(worker, program)
    await worker.database.execute("DELETE FROM api_keys; DELETE FROM admin_sessions")
    for caller in (person, program):
        with pytest.raises(Forbidden):
            await create(worker, caller)


async def test_a_credential_ended_during_hashing_creates_no_owner(worker: Worker) -> None:
    user = await worker.person("ada", "owner")
    person, program = await in_person(worker, user), await by_key(worker, await worker.key_of(user))
    actors = [Actor(caller, "ada", "", "", "user.create") for caller in (person, program)]
    for number, actor in enumerate(actors):
        await worker.platform.accounts.create(f"early{number}", PASSWORD, "owner", actor)
    await worker.database.execute("DELETE FROM api_keys; DELETE FROM admin_sessions")
    for actor in actors:
        with pytest.raises(Forbidden):
            await worker.platform.accounts.create("late", PASSWORD, "owner", actor)


async def test_an_app_deleted_in_the_meantime_is_not_found(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = await in_person(worker, await worker.person("ada", "owner"))

    async def there(_app_id: UUID, _caller: Principal) -> None:
        return None

    monkeypatch.setattr(worker.platform.keys, "_require_app", there)
    with pytest.raises(NotFound):
        await create(worker, caller, app_id=uuid4())
