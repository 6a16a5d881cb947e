"""Promises of control/apps.py: unique slugs, lists of readable apps, complete deletions."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace
from uuid import UUID, uuid4

import ormsgpack
import pytest
from uuid_utils.compat import uuid7

from picloud.control.apps import App, Apps
from picloud.control.scripts.draft import Draft
from picloud.control.scripts.model import Script
from picloud.core.errors import Conflict, Invalid, NotFound, ServiceError
from picloud.core.generations import TOPICS
from picloud.core.pagination import PageRequest, read_cursor
from picloud.execution.cause import ScriptRequest
from picloud.identity.actor import Actor
from picloud.identity.capabilities import SCOPES
from picloud.identity.principal import AppRole, KeyGrant, Principal
from picloud.sandbox.outcome import Outcome, Response
from picloud.services.call_context import Call
from picloud.services.docs.service import DatabaseDocs
from picloud.services.kv import service as kv
from tests.integration.conftest import Worker
from tests.workbench import invocation, script

ACTOR = Actor.console("app.test")
OWNER = Principal(uuid4(), "ada", "owner")


@pytest.fixture
def apps(worker: Worker) -> Apps:
    return worker.platform.apps


async def make(apps: Apps, slug: str, *, takeover: bool = False) -> App:
    return await apps.create(slug, slug.title(), takeover=takeover, actor=ACTOR)


async def rename(apps: Apps, app: App, slug: str, *, takeover: bool = False) -> App:
    return await apps.update(app, {"slug": slug}, takeover=takeover, actor=ACTOR)


async def test_a_former_slug_leads_to_its_app_under_the_slug_of_today(apps: Apps) -> None:
    app = await make(apps, "one")
    await rename(apps, app, "two")
    await rename(apps, app, "three")
    for name in ("one", "two", "three", str(app.id)):
        found = await apps.get(name)
        assert (found.id, found.slug) == (app.id, "three")


async def test_an_app_can_reuse_its_own_former_slug(apps: Apps) -> None:
    app = await make(apps, "one")
    await rename(apps, app, "two")
    assert (await rename(apps, app, "one")).slug == "one"
    assert (await apps.get("two")).slug == "one"


async def test_the_former_slug_of_another_app_is_taken_only_over(apps: Apps) -> None:
    first, second = await make(apps, "one"), await make(apps, "other")
    await rename(apps, first, "two")
    for attempt in (make(apps, "one"), rename(apps, second, "one")):
        with pytest.raises(Conflict, match="takeover: true") as caught:
            await attempt
        assert caught.value.details["state"] == "history"
        assert caught.value.details["app"].id == first.id  # type: ignore[attr-defined]
    await rename(apps, second, "one", takeover=True)
    assert (await apps.get("one")).id == second.id
    assert (await apps.get("two")).id == first.id
    third = await make(apps, "other", takeover=True)
    assert (await apps.get("other")).id == third.id


async def test_a_former_slug_is_taken_over_only_with_app_admin_in_its_app(apps: Apps) -> None:
    theirs, mine = await make(apps, "theirs"), await make(apps, "mine")
    await rename(apps, theirs, "renamed")
    roles: dict[UUID, AppRole] = {mine.id: "app_admin"}
    for there in (None, "viewer", "editor"):
        known: dict[UUID, AppRole] = roles if there is None else roles | {theirs.id: there}
        actor = replace(ACTOR, principal=Principal(uuid4(), "eve", "member", known))
        for attempt in (
            apps.update(mine, {"slug": "theirs"}, takeover=True, actor=actor),
            apps.create("theirs", "Theirs", takeover=True, actor=actor),
        ):
            with pytest.raises(Conflict, match=r"app\.admin") as caught:
                await attempt
            assert caught.value.details["state"] == "history"
            assert (caught.value.details["app"] is None) == (there is None)
    assert (await apps.get("theirs")).id == theirs.id
    bound = KeyGrant(uuid4(), frozenset(SCOPES), mine.id)
    owners_key = replace(ACTOR, principal=replace(OWNER, key=bound))
    with pytest.raises(Conflict, match=r"app\.admin"):
        await apps.update(mine, {"slug": "theirs"}, takeover=True, actor=owners_key)
    both = replace(ACTOR, principal=Principal(uuid4(), "amy", "member", roles | {theirs.id: "app_admin"}))
    assert (await apps.update(mine, {"slug": "theirs"}, takeover=True, actor=both)).slug == "theirs"


async def test_a_slug_in_use_cannot_be_taken_over(apps: Apps) -> None:
    await make(apps, "one")
    with pytest.raises(Conflict) as caught:
        await make(apps, "one", takeover=True)
    assert caught.value.details["state"] == "taken"


async def test_the_app_of_a_slug_is_shown_only_to_users_who_can_read_it(apps: Apps) -> None:
    theirs, mine = await make(apps, "theirs"), await make(apps, "mine")
    await rename(apps, theirs, "renamed")
    member = Principal(uuid4(), "eve", "member", {mine.id: "app_admin"})
    as_member = replace(ACTOR, principal=member)
    for slug, state in (("theirs", "history"), ("renamed", "taken")):
        assert (await apps.slug_state(slug, member)).app is None
        assert (await apps.slug_state(slug, member)).state == state
        known = (await apps.slug_state(slug, OWNER)).app
        assert known is not None
        assert (known.id, known.slug) == (theirs.id, "renamed")
        with pytest.raises(Conflict) as caught:
            await apps.update(mine, {"slug": slug}, actor=as_member)
        assert caught.value.details["app"] is None
    assert (await apps.slug_state("free", member)).state == "free"
    with pytest.raises(Invalid):
        await apps.slug_state("No Slug", OWNER)


async def test_concurrent_apps_with_one_slug_create_one(apps: Apps) -> None:
    results = await asyncio.gather(*(make(apps, "wanted") for _ in range(4)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["App", *["Conflict"] * 3]


async def test_of_renames_to_one_slug_at_once_one_succeeds(apps: Apps) -> None:
    made = [await make(apps, f"app-{n}") for n in range(4)]
    results = await asyncio.gather(*(rename(apps, app, "wanted") for app in made), return_exceptions=True)
    assert sum(isinstance(result, Conflict) for result in results) == 3
    (winner,) = (result for result in results if isinstance(result, App))
    assert (await apps.get("wanted")).id == winner.id
    assert [(await apps.get(f"app-{n}")).id for n in range(4)] == [app.id for app in made]


async def test_apps_that_swap_slugs_at_once_do_not_deadlock(apps: Apps) -> None:
    one, two = await make(apps, "one"), await make(apps, "two")
    for _ in range(10):
        results = await asyncio.gather(
            rename(apps, one, "two", takeover=True),
            rename(apps, two, "one", takeover=True),
            return_exceptions=True,
        )
        assert all(isinstance(result, (App, Conflict)) for result in results)
        one, two = await apps.get(str(one.id)), await apps.get(str(two.id))
        assert one.slug != two.slug


@pytest.mark.parametrize("seed", range(3))
async def test_slugs_are_held_as_a_simple_model_says(apps: Apps, seed: int) -> None:
    """Random makes, renames and deletions against a dictionary slug -> (app, whether it is a former one)."""
    chance, names = random.Random(seed), ["a", "b", "c", "d", "e"]
    model: dict[str, tuple[UUID, bool]] = {}
    live: dict[UUID, App] = {}
    for _ in range(80):
        slug, over = chance.choice(names), chance.random() < 0.5
        app = chance.choice([*live.values()]) if live and chance.random() < 0.7 else None
        if app is not None and chance.random() < 0.2:
            await apps.delete(app, actor=ACTOR)
            del live[app.id]
            model = {name: held for name, held in model.items() if held[0] != app.id}
            continue
        holder = model.get(slug)
        free = holder is None or (app is not None and holder[0] == app.id) or (holder[1] and over)
        try:
            now = await (rename(apps, app, slug, takeover=over) if app else make(apps, slug, takeover=over))
        except Conflict:
            assert not free
            continue
        assert free
        if app is not None:
            model[live[app.id].slug] = (app.id, True)
        live[now.id] = now
        model[slug] = (now.id, False)
        for name in names:
            if name in model:
                assert (await apps.get(name)).id == model[name][0]
            else:
                with pytest.raises(NotFound):
                    await apps.get(name)


async def test_a_list_has_full_pages_of_readable_apps(apps: Apps) -> None:
    made = [await make(apps, f"app-{n}") for n in range(9)]
    ids = [app.id for app in made]
    member = Principal(uuid4(), "eve", "member", {ids[n]: "viewer" for n in (1, 4, 5, 8)})

    async def pages(principal: Principal, limit: int) -> list[list[UUID]]:
        found, after = [], None
        while True:
            page = await apps.list(PageRequest(limit, after), principal)
            found.append([app.id for app in page.items])
            if page.next_cursor is None:
                return found
            after = read_cursor(page.next_cursor)

    assert await pages(OWNER, 4) == [ids[:4], ids[4:8], ids[8:]]
    assert await pages(member, 2) == [[ids[1], ids[4]], [ids[5], ids[8]]]
    assert await pages(replace(member, memberships={}), 2) == [[]]
    for who, scopes, app_id, expected in (
        (OWNER, {"script:read"}, ids[3], [ids[3]]),
        (OWNER, {"script:read"}, None, ids),
        (OWNER, {"log:read"}, ids[3], []),
        (OWNER, {"log:read"}, None, []),
        (member, {"script:read"}, ids[4], [ids[4]]),
        (member, {"script:read"}, ids[3], []),
        (member, {"instance:admin"}, None, []),
    ):
        key = KeyGrant(uuid4(), frozenset(scopes), app_id)
        assert await pages(replace(who, key=key), 200) == [expected], (who.username, scopes, app_id)


async def test_a_patch_keeps_what_is_absent_and_an_empty_one_changes_nothing(
    apps: Apps, worker: Worker
) -> None:
    app = await apps.create("one", "One", "first", actor=ACTOR)
    assert await apps.update(app, {}, actor=ACTOR) == app
    assert (await apps.update(app, {"description": None}, actor=ACTOR)).description == ""
    changed = await apps.update(app, {"name": "Uno"}, actor=ACTOR)
    assert (changed.slug, changed.name, changed.description) == ("one", "Uno", "")
    assert changed.updated_at > app.updated_at
    for name in ("slug", "name"):
        with pytest.raises(Invalid) as caught:
            await apps.update(app, {name: None}, actor=ACTOR)
        assert caught.value.details["field"] == name
    log = await worker.database.fetch("SELECT before, after FROM audit_log ORDER BY id")
    assert [(row["before"] or {}).get("name") for row in log] == [None, "One", "One"]
    assert [row["after"]["name"] for row in log] == ["One", "One", "Uno"]


@pytest.mark.parametrize(
    "slug", ["", "-a", "A", "a_b", "a.b", "a" * 64, "ä", "a\n", "0b7e4c1a-5d0f-4f5e-9a51-3c2b7d9e8f60", "a b"]
)
async def test_an_invalid_slug_is_rejected(apps: Apps, slug: str) -> None:
    app = await make(apps, "one")
    for attempt in (make(apps, slug), rename(apps, app, slug)):
        with pytest.raises(Invalid) as caught:
            await attempt
        assert caught.value.details["field"] == "slug"


async def fill(worker: Worker, app: App) -> None:
    """Give an app one of everything there is a table for."""
    platform, database = worker.platform, worker.database
    made = await platform.scripts.create(app.id, Draft("s", 'import "m" as m;'), actor=ACTOR)
    user = uuid7()
    await database.execute(
        "INSERT INTO admin_users (id, username, password_hash, role) VALUES ($1, $2, '', 'member')",
        user,
        str(user),
    )
    for table, columns, values in (
        ("routes", "script_id, path, path_kind, host_kind", f"'{made.id}', '/x', 'exact', 'any'"),
        ("domains", "pattern, kind", f"'{app.slug}.example', 'exact'"),
        (
            "api_keys",
            "user_id, name, prefix, key_hash, scopes",
            f"'{user}', 'k', '12345678', sha256('{app.slug}'), '{{}}'",
        ),
    ):
        await database.execute(
            f"INSERT INTO {table} (app_id, id, {columns}) VALUES ($1, $2, {values})", app.id, uuid7()
        )
    for statement in (
        "INSERT INTO vars (app_id, name, value) VALUES ($1, 'NAME', '')",
        "INSERT INTO kv_entries (app_id, collection, key, value) VALUES ($1, 'c', 'k', '')",
        f"INSERT INTO docs (app_id, collection, id, data) VALUES ($1, 'c', '{uuid7()}', '{{}}')",
        (
            "INSERT INTO files (app_id, collection, id, blob, name, content_type, size, sha256, metadata)"
            f" VALUES ($1, 'c', '{uuid7()}', '{uuid7()}', 'n', 'text/plain', 0, sha256(''), '{{}}')"
        ),
        "INSERT INTO app_usage (app_id, store, rows, bytes) VALUES ($1, 'kv', 0, 0)",
        f"INSERT INTO app_members (app_id, user_id, role) VALUES ($1, '{user}', 'viewer')",
    ):
        await database.execute(statement, app.id)
    record(worker, app)
    await recorded(worker)
    await rename(worker.platform.apps, app, f"{app.slug}-renamed")


def record(worker: Worker, app: App) -> None:
    outcome = Outcome("ok", Response(200, [], b"x"))
    worker.recorder.record(invocation(script("1", app=app.id), ScriptRequest()), outcome, time.time())


async def recorded(worker: Worker) -> None:
    async with asyncio.timeout(60):
        while worker.recorder._waiting:  # noqa: ASYNC110  # nothing announces it
            await asyncio.sleep(0.001)


async def rows_of(worker: Worker, app: App) -> dict[str, int]:
    """How many rows each table has of an app; of whatever tables there are."""
    tables = await worker.database.fetch(
        "SELECT table_name AS name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name = 'app_id' AND table_name <> 'audit_log'"
    )
    return {
        table["name"]: await worker.database.fetchval(
            f"SELECT count(*) FROM {table['name']} WHERE app_id = $1", app.id
        )
        for table in tables
    }


async def test_a_deletion_removes_everything_of_the_app_and_nothing_else(apps: Apps, worker: Worker) -> None:
    app, other = await make(apps, "one"), await make(apps, "other")
    await fill(worker, app)
    await fill(worker, other)
    before = await rows_of(worker, other)
    assert all(before.values()), "fill() has to know every table that belongs to apps"
    generations = {topic: worker.generations.current(topic) for topic in TOPICS}
    with pytest.raises(Conflict) as caught:
        await apps.delete(app, actor=ACTOR)
    assert caught.value.details == {
        "scripts": 1,
        "routes": 1,
        "domains": 1,
        "vars": 1,
        "kv_entries": 1,
        "docs": 1,
        "files": 1,
        "members": 1,
        "api_keys": 1,
        "executions": 1,
    }
    await apps.delete(app, force=True, actor=ACTOR)
    assert not any((await rows_of(worker, app)).values())
    assert await rows_of(worker, other) == before
    for topic, generation in generations.items():
        assert worker.generations.current(topic) != generation, topic
    for name in ("one", "one-renamed", str(app.id)):
        with pytest.raises(NotFound):
            await apps.get(name)
    await make(apps, "one")
    await make(apps, "one-renamed")
    with pytest.raises(NotFound):
        await apps.delete(app, force=True, actor=ACTOR)


async def test_an_empty_app_is_deleted_without_force(apps: Apps, worker: Worker) -> None:
    app = await make(apps, "one")
    record(worker, app)
    await recorded(worker)
    await apps.delete(app, actor=ACTOR)
    assert not any((await rows_of(worker, app)).values())
    log = await worker.database.fetch(
        "SELECT target, before FROM audit_log WHERE app_id = $1 ORDER BY id", app.id
    )
    assert log[-1]["before"]["slug"] == "one"
    assert log[-1]["target"] == str(app.id)


async def test_an_execution_that_ends_behind_the_deletion_leaves_no_record(
    apps: Apps, worker: Worker
) -> None:
    app, other = await make(apps, "one"), await make(apps, "other")
    await apps.delete(app, actor=ACTOR)
    record(worker, app)
    record(worker, other)
    await recorded(worker)
    assert (await rows_of(worker, app))["execution_logs"] == 0
    assert (await rows_of(worker, other))["execution_logs"] == 1
    assert worker.recorder.dropped == 0


async def someone_waits(worker: Worker) -> None:
    """Wait until a transaction waits for another one's lock."""
    async with asyncio.timeout(60):
        while not await worker.database.fetchval(  # noqa: ASYNC110  # nothing announces it
            "SELECT count(*) FROM pg_locks WHERE NOT granted"
        ):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("force", [True, False])
async def test_a_deletion_removes_a_record_that_is_being_written(
    apps: Apps, worker: Worker, force: bool
) -> None:
    app = await make(apps, "one")
    record(worker, app)
    await recorded(worker)
    async with worker.database.transaction() as recording:
        await recording.execute("SELECT FROM apps WHERE id = $1 FOR KEY SHARE", app.id)
        await recording.execute(
            "INSERT INTO execution_logs SELECT (jsonb_populate_record(l, $1::jsonb)).* FROM execution_logs l",
            {"id": str(uuid7())},
        )
        deletion = asyncio.create_task(apps.delete(app, force=force, actor=ACTOR))
        await someone_waits(worker)
    await deletion
    assert (await rows_of(worker, app))["execution_logs"] == 0


async def test_an_unforced_deletion_is_rejected_while_a_script_is_created(apps: Apps, worker: Worker) -> None:
    app = await make(apps, "one")
    async with worker.database.transaction() as making:
        await making.execute(
            "INSERT INTO scripts (app_id, id, name, kind, version, source)"
            " VALUES ($1, $1, 's', 'endpoint', 1, '1')",
            app.id,
        )
        deletion = asyncio.create_task(apps.delete(app, actor=ACTOR))
        await someone_waits(worker)
    with pytest.raises(Conflict):
        await deletion
    assert (await rows_of(worker, app))["scripts"] == 1


async def test_an_execution_that_ends_amid_the_deletion_leaves_no_record(apps: Apps, worker: Worker) -> None:
    app, other = await make(apps, "one"), await make(apps, "other")
    async with worker.database.transaction() as deleting:
        await deleting.fetchval("SELECT true FROM apps WHERE id = $1 FOR UPDATE", app.id)
        await deleting.execute("DELETE FROM apps WHERE id = $1", app.id)
        record(worker, app)
        record(worker, other)
        await someone_waits(worker)
    await recorded(worker)
    assert (await rows_of(worker, app))["execution_logs"] == 0
    assert (await rows_of(worker, other))["execution_logs"] == 1


async def test_an_execution_of_a_deleted_app_writes_nothing(apps: Apps, worker: Worker) -> None:
    app = await make(apps, "one")
    call, entries = Call(app.id, app.id, app.id), kv.DatabaseKeyValue(worker.database)
    documents = DatabaseDocs(worker.database)
    await entries.set(call, "c", "k", ormsgpack.packb(1), None)
    await apps.delete(app, force=True, actor=ACTOR)
    for attempt in (
        entries.set(call, "c", "k", ormsgpack.packb(2), None),
        entries.increment(call, "c", "n", 1),
        entries.set_if(call, "c", "k", ormsgpack.packb(None), ormsgpack.packb(2)),
        documents.create(call, "c", "{}"),
    ):
        with pytest.raises(ServiceError, match="deleted"):
            await attempt
    assert (await rows_of(worker, app))["kv_entries"] == 0


async def test_nothing_is_created_in_an_app_while_it_is_deleted(apps: Apps, worker: Worker) -> None:
    for number in range(5):
        app = await make(apps, f"app-{number}")
        results = await asyncio.gather(
            *(worker.platform.scripts.create(app.id, Draft(f"s{n}", "1"), actor=ACTOR) for n in range(3)),
            apps.delete(app, force=True, actor=ACTOR),
            return_exceptions=True,
        )
        assert all(isinstance(result, (Script, NotFound)) for result in results[:3])
        assert results[3] is None
        assert not any((await rows_of(worker, app)).values())
