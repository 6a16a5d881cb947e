"""Promises of http/admin/vars.py and services/vars."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from picloud.core.validation import MAX_VARIABLE
from picloud.services.call_context import Call
from picloud.services.vars import SERVICE
from picloud.services.vars import admin as vars_admin
from picloud.services.vars.service import MAX_VARS_BYTES, Vars
from tests.integration.conftest import CONSOLE, Worker
from tests.integration.http.conftest import Answer, Client
from tests.integration.http.test_hot_path import statements

PATH = "/apps/default/vars"
READER = 'let name = ctx.request.query.name; #{ one: vars::get_or(name, "none"), all: vars::all() }'


async def put(client: Client, name: str, value: str, app: str = "default") -> Answer:
    answer = await client.admin("PUT", f"/apps/{app}/vars/{name}", {"value": value})
    assert answer.status == 200, answer.body
    return answer


async def test_a_variable_is_set_shown_listed_and_deleted(client: Client) -> None:
    made = (await put(client, "API_URL", "https://example.com/ü")).json
    assert (made["name"], made["value"]) == ("API_URL", "https://example.com/ü")
    assert (await client.admin("GET", f"{PATH}/API_URL")).json == made
    again = (await put(client, "API_URL", "")).json
    assert again["updated_at"] > again["created_at"] == made["created_at"]
    assert (await put(client, "API_URL", "")).json == again
    await put(client, "A", "1")
    listed = (await client.admin("GET", PATH)).json
    assert ([one["name"] for one in listed["items"]], listed["next_cursor"]) == (["A", "API_URL"], None)
    assert (await client.admin("DELETE", f"{PATH}/API_URL")).status == 204
    for method in ("GET", "DELETE"):
        assert (await client.admin(method, f"{PATH}/API_URL")).error == "not_found"


@pytest.mark.parametrize("name", ["a", "_A", "1", "A-B", "%C3%84", "N" * 65, "A%0A", "A%20"])
async def test_a_name_that_no_variable_can_have_is_rejected(client: Client, name: str) -> None:
    answer = await client.admin("PUT", f"{PATH}/{name}", {"value": "x"})
    assert (answer.status, answer.json["error"]["details"]["field"]) == (422, "name")
    assert (await client.admin("GET", f"{PATH}/{name}")).status == 404
    assert (await client.admin("DELETE", f"{PATH}/{name}")).status == 404


@pytest.mark.parametrize(
    "value", [1, None, True, ["x"], "v" * (MAX_VARIABLE + 1), "ü" * (MAX_VARIABLE // 2 + 1)], ids=range(6)
)
async def test_a_value_is_a_string_of_up_to_8_kib(client: Client, value: Any) -> None:
    await put(client, "N" * 64, "ü" * (MAX_VARIABLE // 2))
    answer = await client.admin("PUT", f"{PATH}/A", {"value": value})
    assert (answer.status, answer.json["error"]["details"]["field"]) == (422, "value")
    assert (await client.admin("GET", f"{PATH}/A")).status == 404


async def test_an_app_has_a_limited_number_of_variables(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vars_admin, "MAX_VARS", 3)
    answers = await asyncio.gather(*(client.admin("PUT", f"{PATH}/V{n}", {"value": "x"}) for n in range(6)))
    assert sorted(answer.status for answer in answers) == [200, 200, 200, 507, 507, 507]
    (first, *_) = (await client.admin("GET", PATH)).json["items"]
    await put(client, first["name"], "replaced")
    await client.admin("DELETE", f"{PATH}/{first['name']}")
    await put(client, "NEW", "x")


async def test_a_script_can_read_all_variables_that_an_app_can_have(client: Client) -> None:
    await client.route(await client.script("vars::all().len()"), "/count")
    full = MAX_VARS_BYTES // MAX_VARIABLE
    for n in range(full):
        await put(client, f"V{n}", "v" * MAX_VARIABLE)
    refused = await client.admin("PUT", f"{PATH}/MORE", {"value": "x"})
    assert (refused.status, refused.error) == (507, "quota_exceeded")
    await put(client, "EMPTY", "")
    assert (await client("GET", "/count")).json == full + 1
    await put(client, "V0", "shorter")
    await put(client, "MORE", "x")


async def test_a_write_is_seen_by_the_next_execution_on_every_worker(client: Client, worker: Worker) -> None:
    await client.route(await client.script(READER), "/read")
    app = await worker.platform.apps.get("default")
    call, elsewhere = Call(app.id, UUID(int=1), UUID(int=2)), Vars(worker.database, worker.generations)
    values: dict[str, str] = {}
    for step in range(12):
        name = f"V{step % 4}"
        if step == 8:
            assert (await client.admin("DELETE", f"{PATH}/{name}")).status == 204
            del values[name]
        else:
            values[name] = f"value {step}"
            await put(client, name, values[name])
        answer = (await client("GET", f"/read?name={name}")).json
        assert answer == {"one": values.get(name, "none"), "all": values}
        assert await elsewhere.all(call) == values
        assert await elsewhere.get(call, name) == values.get(name)


async def test_reading_sends_the_database_nothing(client: Client) -> None:
    await client.route(await client.script(READER), "/read")
    await put(client, "A", "1")
    assert (await client.admin("POST", "/apps", {"slug": "other", "name": "Other"})).status == 201
    token, client.token = client.token, None
    for values in ({"A": "1"}, {}):
        assert (await client("GET", "/read?name=A")).json["all"] == values
        with statements() as sent:
            for _ in range(5):
                assert (await client("GET", "/read?name=A")).json["all"] == values
            assert sent == []
        client.token = token
        await client.admin("DELETE", f"{PATH}/A")
        client.token = None
    client.token = token
    await put(client, "B", "2", app="other")
    client.token = None
    with statements() as sent:
        for _ in range(3):
            assert (await client("GET", "/read?name=A")).json["all"] == {}
        assert len(sent) == 1, "a write in another app costs one comparison of revisions"


async def test_a_write_while_variables_are_read_is_not_missed(
    client: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, other = await worker.app("app"), await worker.app("other")
    variables, admin = worker.platform.services.of(SERVICE), worker.platform.services.admin(SERVICE)
    call, elsewhere = (Call(one, UUID(int=1), UUID(int=2)) for one in (app, other))
    await admin.put(app, "A", "old", actor=CONSOLE)
    fetch, read, go = worker.database.fetch, asyncio.Event(), asyncio.Event()

    async def slow(sql: str, *rest: Any) -> Any:
        rows = await fetch(sql, *rest)
        if rest == (app,) and not read.is_set():
            read.set()
            await go.wait()
        return rows

    monkeypatch.setattr(worker.database, "fetch", slow)
    early = asyncio.create_task(variables.get(call, "A"))
    await read.wait()
    await admin.put(app, "A", "new", actor=CONSOLE)
    assert await variables.get(elsewhere, "A") is None  # compares revisions: the write is no longer news
    late = asyncio.create_task(variables.get(call, "A"))
    go.set()
    assert await early == "old"
    assert await late == "new"
    assert await variables.get(call, "A") == "new"


async def test_the_audit_log_has_names_and_sizes_of_variables(client: Client) -> None:
    await put(client, "TOKEN", "hidden")
    await put(client, "TOKEN", "hidden")
    await put(client, "TOKEN", "other one")
    await client.admin("DELETE", f"{PATH}/TOKEN")
    entries = (await client.admin("GET", "/audit")).json["items"]
    told = [
        (one["action"], one["target"], one["before"], one["after"])
        for one in reversed(entries)
        if one["action"].startswith("vars.")
    ]
    six, nine = {"name": "TOKEN", "size": 6}, {"name": "TOKEN", "size": 9}
    assert told == [
        ("vars.update", "TOKEN", None, {**six, "changed": True}),
        ("vars.update", "TOKEN", six, {**six, "changed": False}),
        ("vars.update", "TOKEN", six, {**nine, "changed": True}),
        ("vars.delete", "TOKEN", nine, None),
    ]


async def test_variables_of_a_deleted_app_are_deleted(worker: Worker) -> None:
    app = await worker.app("app")
    variables, admin = worker.platform.services.of(SERVICE), worker.platform.services.admin(SERVICE)
    call = Call(app, UUID(int=1), UUID(int=2))
    await admin.put(app, "A", "1", actor=CONSOLE)
    assert await variables.get(call, "A") == "1"
    await worker.platform.apps.delete(await worker.platform.apps.get(str(app)), force=True, actor=CONSOLE)
    assert await variables.all(call) == {}
    assert await variables.get(call, "A") is None
