"""Promises of the admin API: apps."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from picloud.execution.record import all_written
from tests.integration.conftest import Worker
from tests.integration.http.conftest import ADMIN, OWNER, Answer, Client

ENDPOINT = '"x"'


async def test_an_app_is_created_listed_and_found_by_id_and_slug(client: Client) -> None:
    made = await client.admin("POST", "/apps", {"slug": "shop", "name": "Shop"})
    assert made.status == 201
    app = made.json
    assert app["my_role"] == "app_admin"
    assert "script.write" in app["my_capabilities"]
    assert app["created_at"].endswith("Z")
    for name in ("shop", app["id"]):
        assert (await client.admin("GET", f"/apps/{name}")).json == app
    assert [one["slug"] for one in (await client.admin("GET", "/apps")).json["items"]] == ["default", "shop"]
    again = await client.admin("POST", "/apps", {"slug": "shop", "name": "Other"})
    assert (again.status, again.error) == (409, "conflict")


@pytest.mark.parametrize(
    "name", ["nowhere", "0b7e4c1a-5d0f-4f5e-9a51-3c2b7d9e8f60", "%00", "%ff", "x" * 5000, "..%2fdefault"]
)
async def test_an_unknown_or_garbage_app_is_404(client: Client, name: str) -> None:
    for path in ("", "/scripts", "/routes", "/domains", "/executions"):
        assert (await client.admin("GET", f"/apps/{name}{path}")).status == 404


async def test_lists_are_cut_into_pages_that_join_up(client: Client) -> None:
    slugs = ["default", *(f"app-{n}" for n in range(5))]
    for slug in slugs[1:]:
        await client.admin("POST", "/apps", {"slug": slug, "name": slug})
    found, path = [], "/apps?limit=2"
    while True:
        page = (await client.admin("GET", path)).json
        found += [app["slug"] for app in page["items"]]
        if page["next_cursor"] is None:
            break
        path = f"/apps?limit=2&cursor={page['next_cursor']}"
    assert found == slugs


async def make(client: Client, slug: str, **fields: object) -> Answer:
    return await client.admin("POST", "/apps", {"slug": slug, "name": slug.title(), **fields})


async def test_an_app_is_renamed_and_found_by_its_former_slug(client: Client) -> None:
    app = (await make(client, "shop", description="d")).json
    renamed = await client.admin("PATCH", "/apps/shop", {"slug": "store"})
    assert renamed.status == 200
    assert renamed.json == {**app, "slug": "store", "updated_at": renamed.json["updated_at"]}
    for name in ("shop", "store", app["id"]):
        assert (await client.admin("GET", f"/apps/{name}")).json == renamed.json
    script = await client.script(ENDPOINT, app="shop")
    assert script["app_id"] == app["id"]


async def test_a_former_slug_of_another_app_needs_a_takeover(client: Client) -> None:
    app = (await make(client, "shop")).json
    await client.admin("PATCH", "/apps/shop", {"slug": "store"})
    check = await client.admin("POST", "/apps/slug:check", {"slug": "shop"})
    holder = {"id": app["id"], "slug": "store", "name": "Shop"}
    assert (check.status, check.json) == (200, {"slug": "shop", "state": "history", "app": holder})
    refused = await make(client, "shop")
    assert (refused.status, refused.error) == (409, "conflict")
    assert refused.details == {"field": "slug", "state": "history", "app": holder}
    assert "takeover: true" in refused.json["error"]["message"]
    new = await make(client, "shop", takeover=True)
    assert new.status == 201
    assert (await client.admin("GET", "/apps/shop")).json["id"] == new.json["id"]
    taken = await client.admin("POST", "/apps/slug:check", {"slug": "shop"})
    assert (taken.json["state"], taken.json["app"]["id"]) == ("taken", new.json["id"])
    assert (await client.admin("POST", "/apps/slug:check", {"slug": "free"})).json["state"] == "free"


async def test_two_renames_to_one_slug_at_once_give_one_409(client: Client) -> None:
    for slug in ("one", "two"):
        await make(client, slug)
    answers = await asyncio.gather(
        *(client.admin("PATCH", f"/apps/{slug}", {"slug": "wanted"}) for slug in ("one", "two"))
    )
    assert sorted(answer.status for answer in answers) == [200, 409]


async def test_a_patch_of_an_app_keeps_what_is_absent_and_clears_what_is_null(client: Client) -> None:
    await make(client, "shop", description="d")
    patched = await client.admin("PATCH", "/apps/shop", {"name": "S"})
    assert (patched.json["name"], patched.json["description"]) == ("S", "d")
    assert (await client.admin("PATCH", "/apps/shop", {"description": None})).json["description"] == ""
    assert (await client.admin("PATCH", "/apps/shop", {})).json["name"] == "S"


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"slug": None}, "slug"),
        ({"slug": "-"}, "slug"),
        ({"slug": "Shop"}, "slug"),
        ({"slug": "a" * 64}, "slug"),
        ({"slug": str(uuid4())}, "slug"),
        ({"slug": 1}, "slug"),
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"name": " x"}, "name"),
        ({"name": "x" * 129}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"description": "x" * 4097}, "description"),
        ({"takeover": "yes"}, "takeover"),
        ({"id": str(uuid4())}, "id"),
    ],
)
async def test_a_wrong_field_of_an_app_is_422_and_named(
    client: Client, fields: dict[str, object], where: str
) -> None:
    for answer in (
        await client.admin("POST", "/apps", {"slug": "shop", "name": "Shop", **fields}),
        await client.admin("PATCH", "/apps/default", fields),
    ):
        assert (answer.status, answer.error) == (422, "invalid"), answer.body
        assert answer.details["field"] == where


async def test_a_lone_surrogate_is_not_json(client: Client) -> None:
    answer = await client("PATCH", f"{ADMIN}/apps/default", data=b'{"name": "\\ud800"}')
    assert (answer.status, answer.error) == (400, "request_invalid")


async def test_an_app_with_something_in_it_is_deleted_by_force_only(client: Client) -> None:
    refused = await client.admin("DELETE", "/apps/default")
    assert (refused.status, refused.error) == (409, "conflict")
    assert (refused.details["scripts"], refused.details["routes"], refused.details["domains"]) == (1, 1, 1)
    assert "force=true" in refused.json["error"]["message"]
    assert (await client("GET", "/hello")).status == 200
    assert (await client.admin("DELETE", "/apps/default?force=maybe")).status == 422
    assert (await client.admin("DELETE", "/apps/default?force=true")).status == 204
    assert (await client("GET", "/hello")).status == 404
    for method in ("GET", "DELETE", "PATCH"):
        body = {"name": "x"} if method == "PATCH" else None
        assert (await client.admin(method, "/apps/default", body)).status == 404
    await make(client, "empty")
    assert (await client.admin("DELETE", "/apps/empty")).status == 204
    assert (await make(client, "default")).status == 201


async def test_changes_of_an_app_are_in_the_audit_log(client: Client, worker: Worker) -> None:
    app = (await make(client, "shop")).json
    await client.admin("PATCH", "/apps/shop", {"slug": "store"})
    await client.admin("PATCH", "/apps/shop", {"slug": "default"})
    await client.admin("DELETE", "/apps/shop")
    rows = await worker.database.fetch(
        "SELECT action, outcome, reason, username, before, after"
        " FROM audit_log WHERE app_id = $1 ORDER BY id",
        UUID(app["id"]),
    )
    assert [(row["action"], row["outcome"], row["reason"]) for row in rows] == [
        ("app.create", "done", None),
        ("app.update", "done", None),
        ("app.update", "refused", "conflict"),
        ("app.delete", "done", None),
    ]
    assert {row["username"] for row in rows} == {OWNER}
    assert (rows[1]["before"]["slug"], rows[1]["after"]["slug"]) == ("shop", "store")
    assert rows[3]["before"]["slug"] == "store"


async def test_a_member_sees_and_changes_only_what_their_role_allows(client: Client, worker: Worker) -> None:
    shop, other = await worker.app("shop"), await worker.app("other")
    editor = await worker.person("eve", "member", shop, "editor")
    admin = await worker.person("adam", "member", shop, "app_admin")
    client.token = await worker.session_of(editor)
    assert [app["slug"] for app in (await client.admin("GET", "/apps")).json["items"]] == ["shop"]
    assert (await client.admin("GET", "/apps/shop")).json["my_role"] == "editor"
    for method, path, body in (
        ("GET", "/apps/other", None),
        ("GET", f"/apps/{other}", None),
        ("GET", "/apps/nowhere", None),
        ("PATCH", "/apps/shop", {"name": "x"}),
        ("PATCH", "/apps/shop/settings", {"cors": None}),
        ("DELETE", "/apps/shop", None),
        ("POST", "/apps", {"slug": "new", "name": "New"}),
        ("POST", "/apps/slug:check", {"slug": "other"}),
    ):
        assert (await client.admin(method, path, body)).status == 403, (method, path)
    client.token = await worker.session_of(admin)
    assert (await client.admin("PATCH", "/apps/shop", {"name": "Mine"})).json["name"] == "Mine"
    taken = await client.admin("POST", "/apps/slug:check", {"slug": "other"})
    assert taken.json == {"slug": "other", "state": "taken", "app": None}
    refused = await client.admin("PATCH", "/apps/shop", {"slug": "other"})
    assert (refused.status, refused.details["app"]) == (409, None)
    assert str(other) not in refused.body.decode()


async def test_executions_that_run_while_their_app_is_deleted_leave_nothing_behind(
    client: Client, worker: Worker
) -> None:
    app = await worker.app("shop")
    source = 'let c = kv::collection("c"); let n = 0; loop { n += 1; c.set(`${ctx.execution_id} ${n}`, n); }'
    script = await client.script(source, app="shop", sandbox={"max_host_calls": 10_000})
    begun = "SELECT count(DISTINCT split_part(key, ' ', 1)) FROM kv_entries"
    running = [asyncio.create_task(client.execute(script)) for _ in range(8)]
    async with asyncio.timeout(20):
        while (await worker.database.fetchval(begun)) < 8:  # noqa: ASYNC110  # scripts do not announce it
            await asyncio.sleep(0.001)
    assert (await client.admin("DELETE", "/apps/shop?force=true")).status == 204
    assert (await client.execute(script)).status == 404
    answers = await asyncio.gather(*running)
    assert {answer.status for answer in answers} == {502}
    assert {"deleted" in answer.json["error"]["message"] for answer in answers} == {True}
    assert await all_written(worker.metrics, patience=20)
    for table in ("kv_entries", "execution_logs", "scripts", "script_versions"):
        left = await worker.database.fetchval(f"SELECT count(*) FROM {table} WHERE app_id = $1", app)
        assert left == 0, table
