"""Promises of the admin API: scripts."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from picloud.control.seed import HELLO
from picloud.sandbox.compiling import Compiling
from picloud.services.quotas import STORES, Amount
from tests.integration.conftest import Worker
from tests.integration.http.conftest import Client

ENDPOINT = '"x"'


async def test_a_script_is_created_found_listed_without_source_and_deleted(client: Client) -> None:
    script = await client.script(
        ENDPOINT, name="greet", description="Says x", sandbox={"max_fuel": 1_000_000}
    )
    assert (script["version"], script["kind"], script["sandbox"]) == (1, "endpoint", {"max_fuel": 1_000_000})
    assert (await client.admin("GET", f"/scripts/{script['id']}")).json == script
    listed = (await client.admin("GET", "/apps/default/scripts")).json["items"]
    assert [one["name"] for one in listed] == ["hello", "greet"]
    assert "source" not in listed[0]
    assert (await client.admin("DELETE", f"/scripts/{script['id']}")).status == 204
    for method in ("GET", "DELETE"):
        assert (await client.admin(method, f"/scripts/{script['id']}")).status == 404


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"name": ""}, "name"),
        ({"name": " x"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 129}, "name"),
        ({"kind": "daemon"}, "kind"),
        ({"execute_access": "nobody"}, "execute_access"),
        ({"source": 1}, "source"),
        ({"source": "a\0b"}, "source"),
        ({"sandbox": {"max_fuel": "1"}}, "sandbox.max_fuel"),
        ({"sandbox": {"max_fuel": True}}, "sandbox.max_fuel"),
        ({"sandbox": {"max_fuel": 0}}, "sandbox.max_fuel"),
        ({"sandbox": {"max_fuel": 10**30}}, "sandbox.max_fuel"),
        ({"sandbox": {"max_log_lines": 1}}, "sandbox.max_log_lines"),
        ({"sandbox": []}, "sandbox"),
        ({"owner": "me"}, "owner"),
    ],
)
async def test_a_wrong_field_of_a_script_is_422_and_named(
    client: Client, fields: dict[str, object], where: str
) -> None:
    answer = await client.admin("POST", "/apps/default/scripts", {"name": "s", "source": ENDPOINT, **fields})
    assert (answer.status, answer.error) == (422, "invalid"), answer.body
    assert answer.details["field"] == where


async def test_an_override_over_its_ceiling_names_what_was_asked_and_the_ceiling(client: Client) -> None:
    fields = {"name": "s", "source": ENDPOINT, "sandbox": {"timeout_seconds": 301}}
    answer = await client.admin("POST", "/apps/default/scripts", fields)
    assert answer.details == {"field": "sandbox.timeout_seconds", "requested": 301, "ceiling": 300}
    fields["sandbox"] = {"max_fule": 1}
    unknown = await client.admin("POST", "/apps/default/scripts", fields)
    assert "max_fuel" in unknown.details["known"]


async def test_a_source_of_one_mebibyte_is_saved_and_one_byte_more_is_not(client: Client) -> None:
    comment = "//" + "x" * (1024 * 1024 - 2)
    assert (await client.script(comment))["version"] == 1
    for path, fields in (("scripts", {"name": "t"}), ("scripts:validate", {})):
        answer = await client.admin("POST", f"/apps/default/{path}", {"source": comment + "x", **fields})
        assert (answer.status, answer.details["ceiling"]) == (422, 1024 * 1024)


async def test_a_source_that_does_not_parse_is_rejected_with_its_position(client: Client) -> None:
    body = {"source": "let x = 1;\nlet y = ;"}
    for answer in (
        await client.admin("POST", "/apps/default/scripts:validate", body),
        await client.admin("POST", "/apps/default/scripts", {"name": "s", **body}),
    ):
        assert (answer.status, answer.error) == (422, "script_invalid")
        assert (answer.details["line"], answer.details["column"]) == (2, 9)
        assert answer.details["message"]
    good = await client.admin(
        "POST", "/apps/default/scripts:validate", {"source": "fn f() { 1 }", "kind": "module"}
    )
    assert (good.status, good.json) == (200, {"valid": True, "imports": []})


async def test_a_patch_keeps_what_is_absent_and_clears_what_is_null(client: Client) -> None:
    script = await client.script(
        ENDPOINT, description="d", sandbox={"max_fuel": 5_000_000, "timeout_seconds": 3}
    )
    path = f"/scripts/{script['id']}"
    patched = await client.admin(
        "PATCH", path, {"description": None, "sandbox": {"max_fuel": None, "max_map_size": 7}}
    )
    assert (patched.status, patched.json["version"]) == (200, 2)
    assert patched.json["description"] == ""
    assert patched.json["sandbox"] == {"timeout_seconds": 3, "max_map_size": 7}
    assert patched.json["source"] == ENDPOINT
    assert (await client.admin("PATCH", path, {"sandbox": None})).json["sandbox"] == {}
    assert (await client.admin("PATCH", path, {"source": None})).status == 422
    assert (await client.admin("PATCH", path, {})).json["version"] == 3


async def test_two_writers_on_one_version_give_one_409(client: Client) -> None:
    script = await client.script(ENDPOINT)
    path = f"/scripts/{script['id']}"
    answers = await asyncio.gather(
        *(client.admin("PATCH", path, {"source": f"{n}", "version": 1}) for n in range(4))
    )
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]
    by_header = await client.admin("PATCH", path, {"source": "9"}, headers={"If-Match": '"1"'})
    assert (by_header.status, by_header.error) == (412, "precondition_failed")
    assert by_header.details == {"expected": 1, "version": 2}
    both = await client.admin("PATCH", path, {"source": "9", "version": 1}, headers={"If-Match": '"1"'})
    assert both.status == 412
    any_version = await client.admin("PATCH", path, {"source": "8", "version": 1}, headers={"If-Match": "*"})
    assert any_version.status == 409
    assert (await client.admin("PATCH", path, {"source": "9"}, headers={"If-Match": '"2"'})).status == 200
    assert (await client.admin("PATCH", path, {"version": 1}, headers={"If-Match": "2"})).status == 422
    assert (await client.admin("PATCH", path, {}, headers={"If-Match": "x"})).status == 400


async def test_writers_without_a_version_all_save_one_after_the_other(client: Client) -> None:
    script = await client.script(ENDPOINT)
    answers = await asyncio.gather(
        *(client.admin("PATCH", f"/scripts/{script['id']}", {"source": f"{n}"}) for n in range(4))
    )
    assert sorted(answer.json["version"] for answer in answers) == [2, 3, 4, 5]


async def test_every_saved_version_is_kept_with_author_and_message(client: Client, worker: Worker) -> None:
    script = await client.script(ENDPOINT, message="first")
    await client.admin("PATCH", f"/scripts/{script['id']}", {"source": "2", "message": "second"})
    rows = await worker.database.fetch(
        "SELECT version, source, message, username"
        " FROM script_versions JOIN admin_users u ON u.id = author_id"
    )
    assert sorted(tuple(row) for row in rows) == [(1, ENDPOINT, "first", "ada"), (2, "2", "second", "ada")]


async def test_a_script_name_is_the_apps_once(client: Client) -> None:
    await client.script(ENDPOINT, name="same")
    again = await client.admin("POST", "/apps/default/scripts", {"name": "same", "source": ENDPOINT})
    assert (again.status, again.details["field"]) == (409, "name")
    other = await client.script(ENDPOINT, name="other")
    assert (await client.admin("PATCH", f"/scripts/{other['id']}", {"name": "same"})).status == 409
    await client.admin("POST", "/apps", {"slug": "shop", "name": "Shop"})
    await client.script(ENDPOINT, name="same", app="shop")


async def test_a_script_with_routes_is_not_deleted_unforced_nor_made_a_module(
    client: Client,
) -> None:
    script = await client.script("fn f() { 1 }")
    route = await client.route(script, "/x")
    path = f"/scripts/{script['id']}"
    for answer in (await client.admin("DELETE", path), await client.admin("PATCH", path, {"kind": "module"})):
        assert (answer.status, answer.error) == (409, "conflict")
        assert [one["id"] for one in answer.details["routes"]] == [route["id"]]
    assert (await client.admin("GET", path)).json["version"] == 1
    assert (await client.admin("DELETE", f"{path}?force=true")).status == 204
    assert (await client("GET", "/x")).status == 404


async def test_two_renames_to_one_name_at_once_give_one_409(client: Client) -> None:
    made = [await client.script(ENDPOINT, name=name) for name in ("one", "two")]
    answers = await asyncio.gather(
        *(client.admin("PATCH", f"/scripts/{script['id']}", {"name": "wanted"}) for script in made)
    )
    assert sorted(answer.status for answer in answers) == [200, 409]
    (refused,) = (answer for answer in answers if answer.status == 409)
    assert refused.details["field"] == "name"


async def test_a_script_deleted_twice_at_once_was_there_once(client: Client) -> None:
    script = await client.script(ENDPOINT)
    answers = await asyncio.gather(*(client.admin("DELETE", f"/scripts/{script['id']}") for _ in range(3)))
    assert sorted(answer.status for answer in answers) == [204, 404, 404]


async def test_a_module_becomes_an_endpoint_at_any_time(client: Client) -> None:
    script = await client.script("fn f() { 1 }", kind="module")
    patched = await client.admin("PATCH", f"/scripts/{script['id']}", {"kind": "endpoint"})
    assert (patched.status, patched.json["kind"]) == (200, "endpoint")
    back = await client.admin("PATCH", f"/scripts/{script['id']}", {"kind": "module"})
    assert (back.status, back.json["version"]) == (200, 3)


async def test_changes_of_a_script_are_in_the_audit_log_without_its_source(
    client: Client, worker: Worker
) -> None:
    script = await client.script('"a secret of mine"')
    path = f"/scripts/{script['id']}"
    await client.admin("PATCH", path, {"source": '"another secret of mine"'})
    await client.admin("PATCH", path, {"source": "1", "version": 1})
    await client.admin("POST", f"{path}/versions/1:restore", {})
    await client.admin("DELETE", path)
    rows = await worker.database.fetch(
        "SELECT action, outcome, target, username, before, after, before::text || after::text AS said"
        " FROM audit_log WHERE action LIKE 'script.%' ORDER BY id"
    )
    assert [(row["action"], row["outcome"]) for row in rows] == [
        ("script.create", "done"),
        ("script.update", "done"),
        ("script.update", "refused"),
        ("script.restore", "done"),
        ("script.delete", "done"),
    ]
    assert "secret of mine" not in str([dict(row) for row in rows])
    done = [row for row in rows if row["outcome"] == "done"]
    assert {row["target"] for row in done} == {script["id"]}
    assert [row["after"] and row["after"]["version"] for row in done] == [1, 2, 3, None]
    assert done[0]["after"]["sha256"] == done[2]["after"]["sha256"] != done[1]["after"]["sha256"]


async def test_ten_thousand_scripts_are_listed_in_pages_that_join_up(client: Client, worker: Worker) -> None:
    await worker.database.execute(
        "INSERT INTO scripts (app_id, id, name, kind, version, source)"
        " SELECT id, gen_random_uuid(), 's' || n, 'endpoint', 1, repeat('x', 10000)"
        " FROM apps, generate_series(1, 10000) n"
    )
    names, cursor = [], ""
    while cursor is not None:
        page = (await client.admin("GET", f"/apps/default/scripts?limit=200{cursor}")).json
        names += [script["name"] for script in page["items"]]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert sorted(names) == sorted(["hello", *(f"s{n}" for n in range(1, 10_001))])


async def test_a_save_above_the_quota_of_versions_changes_nothing(
    client: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = await client.script('"one"')
    path = f"/scripts/{script['id']}"
    kept = {one.store: one for one in await worker.platform.quotas.usage(UUID(script["app_id"]))}["scripts"]
    assert (kept.rows, kept.bytes) == (2, len(HELLO) + 5)
    for room, message in (
        (Amount(3, 10_000), " 3 script versions "),
        (Amount(9, len(HELLO) + 12), f" {len(HELLO) + 12} bytes "),
    ):
        limits = dict.fromkeys(STORES, room)
        monkeypatch.setattr(worker.platform.quotas, "_limits", limits)
        if room.rows == 3:
            assert (await client.admin("PATCH", path, {"source": '"two"'})).status == 200
        for method, where, body in (
            ("PATCH", path, {"source": '"three"'}),
            ("POST", f"{path}/versions/1:restore", {}),
            ("POST", "/apps/default/scripts", {"name": "more", "source": '"more"'}),
        ):
            refused = await client.admin(method, where, body)
            assert (refused.status, refused.error) == (507, "quota_exceeded")
            assert message in refused.json["error"]["message"]
        assert (await client.admin("GET", path)).json["version"] == 2
        assert len((await client.admin("GET", f"{path}/versions")).json["items"]) == 2
    await client.admin("DELETE", path)
    await client.script('"more"', name="more")


async def test_hostile_sources_use_up_the_budget_of_their_app_only(worker: Worker, client: Client) -> None:
    """A switch of 600 cases costs a hundred times what a usual script of its size does."""
    worker.platform.executor.sandbox.compiling = Compiling(100_000_000)
    await worker.app("quiet")
    cases = ", ".join(f"{n} => {n}" for n in range(600))
    hostile = {"source": f"switch 1 {{ {cases} }}"}
    answers = [await client.admin("POST", "/apps/default/scripts:validate", hostile) for _ in range(4)]
    assert (answers[0].status, answers[-1].status, answers[-1].error) == (200, 429, "throttled")
    assert int(answers[-1].headers["Retry-After"]) <= 60
    save = {"name": "s", "source": ENDPOINT}
    assert (await client.admin("POST", "/apps/default/scripts", save)).error == "throttled"
    assert (await client.admin("POST", "/apps/quiet/scripts", save)).status == 201
    assert (await client("GET", "/hello")).status == 200  # a first run
