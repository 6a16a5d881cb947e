"""Promises of http/admin/docs.py and services/docs/admin.py."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest

from picloud.services.docs import admin as browse
from tests.integration.conftest import Worker
from tests.integration.http.conftest import Answer, Client

COLLECTION = "/apps/default/docs/c"


async def create(client: Client, data: dict[str, Any], collection: str = COLLECTION) -> dict[str, Any]:
    answer = await client.admin("POST", collection, {"data": data})
    assert answer.status == 201, answer.body
    return dict(answer.json)


async def find(client: Client, filter_: object, query: str = "") -> Answer:
    return await client.admin("GET", f"{COLLECTION}?filter={quote(json.dumps(filter_))}{query}")


async def numbers(client: Client, filter_: object, query: str = "") -> list[int]:
    answer = await find(client, filter_, query)
    assert answer.status == 200, answer.body
    return [item["data"]["n"] for item in answer.json["items"]]


async def test_a_document_is_created_shown_replaced_patched_and_deleted(client: Client) -> None:
    made = await create(client, {"n": 1, "deep": {"a": 1, "b": [1.50, "ü", None]}})
    path = f"{COLLECTION}/{made['id']}"
    assert made["collection"] == "c"
    assert (await client.admin("GET", path)).json == made
    patched = (await client.admin("PATCH", path, {"data": {"n": None, "deep": {"a": 2}}})).json
    assert patched["data"] == {"deep": {"a": 2, "b": [1.5, "ü", None]}}
    assert patched["updated_at"] > made["updated_at"]
    replaced = (await client.admin("PUT", path, {"data": {"x": 1}})).json
    assert (replaced["data"], replaced["created_at"]) == ({"x": 1}, made["created_at"])
    assert (await client.admin("GET", "/apps/default/docs")).json["items"] == [
        {"name": "c", "documents": 1, "bytes": replaced["size"], "more": False}
    ]
    assert (await client.admin("DELETE", path)).status == 204
    for method, body in (("GET", None), ("DELETE", None), ("PUT", {"data": {}}), ("PATCH", {"data": {}})):
        assert (await client.admin(method, path, body)).status == 404
    assert (await client.admin("GET", COLLECTION)).status == 404


@pytest.mark.parametrize("number", [1e16, 1.2345678901234568e29, -1.7976931348623157e308, 5e-324, 2**63])
async def test_numbers_written_by_users_are_found(client: Client, number: float) -> None:
    await create(client, {"n": 1, "number": number, "list": [{"number": number}]})
    for filter_ in ({"number": number}, {"number": {"$gte": number, "$lte": number}}):
        assert await numbers(client, filter_) == [1]
    assert await numbers(client, {"list": {"$eq": [{"number": number}]}}) == [1]


async def test_scripts_and_users_see_the_same_documents(client: Client) -> None:
    made = await create(client, {"by": "people"})
    source = f'let c = docs::collection("c"); c.create(#{{ by: "scripts" }}); c.get("{made["id"]}").data.by'
    assert (await client.execute(await client.script(source))).json == "people"
    items = (await client.admin("GET", COLLECTION)).json["items"]
    assert [item["data"] for item in items] == [{"by": "people"}, {"by": "scripts"}]


async def test_a_filter_finds_page_by_page(client: Client) -> None:
    for n in range(9):
        await create(client, {"n": n, "even": n % 2 == 0})
    assert await numbers(client, {"even": True}) == [0, 2, 4, 6, 8]
    assert await numbers(client, {"n": {"$gte": 3, "$lt": 5}}) == [3, 4]
    page = (await find(client, {"even": True}, "&limit=3")).json
    assert [item["data"]["n"] for item in page["items"]] == [0, 2, 4]
    assert await numbers(client, {"even": True}, f"&limit=3&cursor={page['next_cursor']}") == [6, 8]
    assert await numbers(client, {"even": "no"}) == []


async def test_a_filter_that_sorts_gives_one_page_and_skips_to_the_next(client: Client) -> None:
    for n in (3, 1, 2, 5, 4):
        await create(client, {"n": n})
    sorted_ = await find(client, {"$sort": "-n"}, "&limit=2")
    assert ([item["data"]["n"] for item in sorted_.json["items"]], sorted_.json["next_cursor"]) == (
        [5, 4],
        None,
    )
    assert await numbers(client, {"$sort": "-n", "$skip": 2}, "&limit=2") == [3, 2]
    assert await numbers(client, {"$sort": "n", "$limit": 1}) == [1]
    assert await numbers(client, {"$limit": 0}) == []
    cursor = (await client.admin("GET", f"{COLLECTION}?limit=1")).json["next_cursor"]
    refused = await find(client, {"$sort": "n"}, f"&cursor={cursor}")
    assert (refused.status, refused.details["field"]) == (422, "cursor")


@pytest.mark.parametrize("filter_", ["", "[]", "1", "{", '{"a": NaN}', '{"$what": 1}', '{"a": {"$gt": []}}'])
async def test_an_invalid_filter_is_rejected(client: Client, filter_: str) -> None:
    await create(client, {})
    answer = await client.admin("GET", f"{COLLECTION}?filter={quote(filter_)}")
    assert (answer.status, answer.details["field"]) == (422, "filter")


@pytest.mark.parametrize(
    "data",
    [
        {"numbers": list(range(10_000)), "floats": [1.5] * 10_000},
        {"strings": ["s"] * 10_000, "maps": [{"a": 1}] * 9_000},
        {"zero": -0.0, "zeros": [-0.0, 0.0, {"a": -0.0}], "text": "0.00, -0.0", "ten": 10.0, "0.00": 0},
    ],
    ids=["numbers", "strings", "negative zeros"],
)
async def test_what_is_shown_can_be_written_again(client: Client, data: dict[str, Any]) -> None:
    made = await create(client, data)
    where = f"{COLLECTION}/{made['id']}"
    shown = (await client.admin("GET", where)).json["data"]
    assert json.dumps(shown, sort_keys=True) == json.dumps(data, sort_keys=True)
    answer = await client.admin("PUT", where, {"data": shown})
    assert answer.status == 200, answer.body[:300]
    assert json.dumps(answer.json["data"], sort_keys=True) == json.dumps(data, sort_keys=True)
    assert (await find(client, {"zero": 0})).json["items"] == ([answer.json] if "zero" in data else [])


async def test_negative_zero_of_a_user_and_of_a_script_is_one(client: Client) -> None:
    made = await create(client, {"a": -0.0})
    source = f"""
        let c = docs::collection("{COLLECTION.rsplit("/", 1)[1]}");
        let read = c.get("{made["id"]}").data;
        c.create(#{{ b: read.a, patched: 1 }});
        c.patch("{made["id"]}", #{{ c: [-0.0] }});
        json::stringify(read)
    """
    assert (await client.execute(await client.script(source))).json == '{"a":-0.0}'
    items = (await find(client, {})).json["items"]
    assert [json.dumps(one["data"]) for one in items] == [
        '{"a": -0.0, "c": [-0.0]}',
        '{"b": -0.0, "patched": 1}',
    ]


async def test_large_documents_make_short_pages(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browse, "MAX_PAGE_BYTES", 100)
    for n in range(4):
        await create(client, {"n": n, "text": "x" * 50})
    walked, cursor = [], ""
    while True:
        page = (await client.admin("GET", f"{COLLECTION}?limit=3{cursor}")).json
        walked += [item["data"]["n"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert walked == [0, 1, 2, 3]
    refused = await find(client, {"$sort": "n"})
    assert (refused.status, refused.details["field"]) == (422, "limit")
    assert await numbers(client, {"$sort": "-n"}, "&limit=2") == [3, 2]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "data"),
        ({"data": []}, "data"),
        ({"data": None}, "data"),
        ({"data": {"a": "b\0"}}, "data.a"),
        ({"data": {"a": "x" * 1024 * 1024}}, "data"),
        ({"data": {}, "id": "x"}, "id"),
    ],
)
async def test_an_invalid_document_is_rejected(client: Client, body: dict[str, Any], field: str) -> None:
    path = f"{COLLECTION}/{(await create(client, {}))['id']}"
    for method, where in (("POST", COLLECTION), ("PUT", path), ("PATCH", path)):
        answer = await client.admin(method, where, body)
        assert (answer.status, answer.details.get("field")) == (422, field), answer.body[:300]


async def test_a_document_of_any_depth_is_shown_or_rejected(client: Client) -> None:
    data: dict[str, Any] = {}
    for _ in range(126):
        data = {"a": data}
    assert (await create(client, data))["data"] == data
    for more in (1, 300):
        for _ in range(more):
            data = {"a": data}
        assert (await client.admin("POST", COLLECTION, {"data": data})).status == 422


async def test_a_patch_cannot_exceed_the_size_of_a_document(client: Client) -> None:
    path = f"{COLLECTION}/{(await create(client, {'a': 'x' * 600_000}))['id']}"
    answer = await client.admin("PATCH", path, {"data": {"b": "x" * 448_600}})
    assert (answer.status, answer.error, answer.details) == (422, "invalid", {"field": "data"})
    assert " 1048576 " in answer.json["error"]["message"]
    room = 1024 * 1024 - len('{"a":"","b":""}') - 600_000
    assert (await client.admin("PATCH", path, {"data": {"b": "x" * room}})).status == 200


async def test_numbers_are_shown_as_they_are_kept(client: Client, worker: Worker) -> None:
    made = await create(client, {})
    await worker.database.execute(
        "UPDATE docs SET data = $2::text::jsonb WHERE id = $1",
        UUID(made["id"]),
        '{"large": 123456789012345678901234567890, "exact": 0.10}',
    )
    answer = await client.admin("GET", f"{COLLECTION}/{made['id']}")
    assert b'"exact": 0.10' in answer.body
    assert b"123456789012345678901234567890" in answer.body


async def test_documents_of_another_app_or_collection_are_not_there(client: Client, worker: Worker) -> None:
    await worker.app("other")
    made = await create(client, {"n": 1})
    for where in (f"/apps/other/docs/c/{made['id']}", f"/apps/default/docs/d/{made['id']}"):
        for method, body in (("GET", None), ("PUT", {"data": {}}), ("PATCH", {"data": {}}), ("DELETE", None)):
            assert (await client.admin(method, where, body)).status == 404
    assert (await client.admin("GET", "/apps/other/docs/c")).status == 404
    await create(client, {"n": 2}, "/apps/other/docs/c")
    assert await numbers(client, {}) == [1]
    assert await numbers(client, {"$or": [{"n": 1}, {"n": 2}]}) == [1]
    cursor = (await client.admin("GET", "/apps/other/docs/c?limit=1")).json["next_cursor"]
    assert cursor is None
    for odd in (str(uuid4()), "x", "c" * 129):
        assert (await client.admin("GET", f"{COLLECTION}/{odd}")).status == 404
        assert (await client.admin("GET", f"/apps/default/docs/{odd}/{made['id']}")).status == 404


async def test_the_audit_log_has_the_changed_document_without_its_data(client: Client) -> None:
    made = await create(client, {"secret": "a secret"})
    path = f"{COLLECTION}/{made['id']}"
    await client.admin("PATCH", path, {"data": {"secret": "s"}})
    await client.admin("DELETE", path)
    answer = await client.admin("GET", "/apps/default/audit?limit=3")
    assert b"a secret" not in answer.body
    assert [(one["action"], one["target"]) for one in answer.json["items"]] == [
        (f"document.{verb}", made["id"]) for verb in ("delete", "update", "create")
    ]
    assert answer.json["items"][1]["before"] == {"collection": "c", "size": made["size"]}
