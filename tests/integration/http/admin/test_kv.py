"""Promises of http/admin/kv.py, services/kv/admin.py and http/admin/usage.py."""

from __future__ import annotations

import base64
import functools
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import ormsgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from picloud.control.seed import HELLO
from picloud.core.msgpack import encode_sorted
from picloud.services import quotas
from picloud.services.call_context import Call
from picloud.services.kv import SERVICE
from picloud.services.quotas import Amount
from tests.integration.conftest import Worker
from tests.integration.http.conftest import Answer, Client

ODD = [
    "user:1",
    "a/b",
    "a%2Fb",
    "../..",
    "ü ß",
    "a?b#c",
    "\x01\x7f",
    '"',
    "%",
    "%25",
    "{x}",
    "a:validate",
    "\U0001f600" * 128,
]


def path(collection: str, key: str, app: str = "default") -> str:
    # A dot alone is a step in a path, also when it is encoded; no client sends it.
    return f"/apps/{app}/kv/{quote(collection, safe='')}/{quote(key, safe='')}"


async def put(client: Client, key: str, value: object, collection: str = "c", **fields: Any) -> Answer:
    answer = await client.admin("PUT", path(collection, key), {"value": value, **fields})
    assert answer.status == 200, answer.body
    return answer


async def listed(client: Client, query: str = "") -> list[str]:
    answer = await client.admin("GET", f"/apps/default/kv/c?limit=200{query}")
    assert answer.status == 200, answer.body
    return [item["key"] for item in answer.json["items"]]


async def test_an_entry_is_written_shown_listed_and_removed(client: Client) -> None:
    made = (await put(client, "k", {"n": [1, 2.5, None, "ü"]})).json
    assert made["value"] == {"n": [1, 2.5, None, "ü"]}
    assert (made["collection"], made["key"], made["blob"], made["packed"]) == ("c", "k", None, None)
    assert (await client.admin("GET", path("c", "k"))).json == made
    again = (await put(client, "k", "text", ttl_seconds=60)).json
    assert again["expires_at"] > again["updated_at"] > made["updated_at"]
    assert again["created_at"] == made["created_at"]
    (item,) = (await client.admin("GET", "/apps/default/kv/c")).json["items"]
    assert item == {name: again[name] for name in item}
    assert (await client.admin("GET", "/apps/default/kv")).json["items"] == [
        {"name": "c", "entries": 1, "bytes": 1 + 5, "more": False}
    ]
    assert (await client.admin("DELETE", path("c", "k"))).status == 204
    for method, where in (("GET", path("c", "k")), ("DELETE", path("c", "k")), ("GET", "/apps/default/kv/c")):
        assert (await client.admin(method, where)).status == 404
    assert (await client.admin("GET", "/apps/default/kv")).json["items"] == []


@pytest.mark.parametrize("name", ODD)
async def test_names_are_any_text(client: Client, name: str) -> None:
    collection = name[:32]
    made = await put(client, name, 1, collection=collection)
    assert (made.json["collection"], made.json["key"]) == (collection, name)
    assert (await client.admin("GET", path(collection, name))).json == made.json
    (item,) = (await client.admin("GET", f"/apps/default/kv/{quote(collection, safe='')}")).json["items"]
    assert item["key"] == name
    assert (await client.admin("DELETE", path(collection, name))).status == 204


async def test_scripts_and_users_read_the_entries_of_each_other(client: Client) -> None:
    value = {"b": 1, "a": [1.5, True, "x", {"ü": -1}]}
    await put(client, "k", value)
    source = """
        let c = kv::collection("c");
        let expected = #{ a: [1.5, true, "x", #{ "ü": -1 }], b: 1 };
        let same = c.set_if("k", expected, #{ b: base64::decode("AP8=") });
        c.set("blob", base64::decode("AP8="));
        c.set("nan", 0.0 / 0.0);
        c.set("text", "a\\u0000b");
        same
    """
    assert (await client.execute(await client.script(source))).json is True
    shown = {key: (await client.admin("GET", path("c", key))).json for key in ("k", "blob", "nan", "text")}
    blob = {"b": b"\0\xff"}
    assert shown["k"]["packed"] == base64.b64encode(ormsgpack.packb(blob)).decode()
    assert shown["blob"]["blob"] == "AP8="
    assert shown["nan"]["packed"] is not None
    assert shown["text"]["value"] == "a\0b"
    assert all(one["value"] is None for key, one in shown.items() if key != "text")
    for key in ("k", "blob", "nan"):
        body = {name: shown[key][name] for name in ("blob", "packed") if shown[key][name] is not None}
        assert (await client.admin("PUT", path("c", f"{key}-again"), body)).status == 200
    source = 'let c = kv::collection("c"); [c.get("k-again") == c.get("k"), c.get("blob-again").len()]'
    assert (await client.execute(await client.script(source, name="again"))).json == [True, 2]


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.sampled_from([-0.0, 2**53 + 1, -(2**63), 1e308, 5e-324])
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
    | st.sampled_from(["a\0b", "\ufeff", "\U0010ffff", "\u2028"])
    | st.binary(max_size=12)
)
KEYS = st.text(st.characters(exclude_categories=("Cs",)), max_size=4)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
).filter(lambda value: value is not None)


async def shown_and_written_again(client: Client, worker: Worker, stored: bytes) -> bytes:
    """What is stored after a `PUT` of what `GET` shows of an entry that a script stored."""
    app = (await worker.platform.apps.get("default")).id
    kv = worker.platform.services.of(SERVICE)
    call = Call(app, uuid4(), uuid4())
    await kv.set(call, "c", "k", stored, None)
    shown = (await client.admin("GET", path("c", "k"))).json
    body = {name: shown[name] for name in ("value", "blob", "packed")}
    answer = await client.admin("PUT", path("c", "again"), body)
    assert answer.status == 200, answer.body[:300]
    written = await kv.get(call, "c", "again")
    assert written is not None
    return written


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES)
async def test_what_a_script_stored_is_shown_in_a_form_that_can_be_written(
    client: Client, worker: Worker, value: Any
) -> None:
    stored = encode_sorted(value)
    assert await shown_and_written_again(client, worker, stored) == stored


def nested(levels: int) -> Any:
    return functools.reduce(lambda inner, _: [inner], range(levels), [])


LARGE = {
    "as deep as scripts go": nested(128),
    "100,000 integers": list(range(100_000)),
    "50,000 strings": ["s"] * 50_000,
    "100,000 fields": {f"{n:x}": 1 for n in range(100_000)},
    "a million values": [0] * 1_000_000,
    "a mebibyte that JSON escapes": "\x01" * (1024 * 1024 - 8),
    "a mebibyte of NUL": "\0" * (1024 * 1024 - 8),
    "a mebibyte of bytes": b"\xff" * (1024 * 1024 - 8),
    "many blobs": [b"x"] * 100_000,
}


@pytest.mark.parametrize("name", LARGE)
async def test_the_largest_values_of_scripts_are_shown_and_written(
    client: Client, worker: Worker, name: str
) -> None:
    stored = encode_sorted(LARGE[name])
    assert await shown_and_written_again(client, worker, stored) == stored


@pytest.mark.parametrize("name", [".", "..", "a", "-", "...", "a/../b", "\U0001f600"])
async def test_names_can_be_given_in_the_query(client: Client, name: str) -> None:
    """`.` and `..` are steps in a path, also when they are encoded."""
    where = f"/apps/default/kv/-/-?collection={quote(name, safe='')}&entry={quote(name, safe='')}"
    made = await client.admin("PUT", where, {"value": 1})
    assert (made.status, made.json["collection"], made.json["key"]) == (200, name, name)
    assert (await client.admin("GET", where)).json == made.json
    listed = await client.admin("GET", f"/apps/default/kv/-?collection={quote(name, safe='')}&limit=5")
    assert [item["key"] for item in listed.json["items"]] == [name]
    for query, field in (("entry=a", "entry"), ("entry=a&entry=a", "entry"), ("collection=x", "collection")):
        refused = await client.admin("GET", f"/apps/default/kv/b/c?{query}")
        assert (refused.status, refused.details["field"]) == (422, field)
    assert (await client.admin("GET", "/apps/default/kv/b/-?entry=a&entry=a")).status == 422
    assert (await client.admin("DELETE", where)).status == 204
    assert (await client.admin("GET", where)).status == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "value"),
        ({"value": None}, "value"),
        ({"value": 1, "blob": ""}, "value"),
        ({"blob": "***"}, "blob"),
        ({"packed": "wQ=="}, "packed"),
        ({"packed": "wA=="}, "value"),
        ({"value": "x" * 1024 * 1024}, "value"),
        ({"value": 1, "ttl_seconds": 0}, "ttl_seconds"),
        ({"value": 1, "ttl_seconds": 10**12}, "ttl_seconds"),
        ({"value": 2**64 - 1}, "value"),
        ({"value": 1, "colour": 1}, "colour"),
        ({"value": 1, "blob\0": 1}, "blob\\u0000"),
    ],
)
async def test_an_unstorable_value_is_rejected(client: Client, body: dict[str, Any], field: str) -> None:
    answer = await client.admin("PUT", path("c", "k"), body)
    assert (answer.status, answer.details.get("field")) == (422, field), answer.body[:300]
    assert (await client.admin("GET", path("c", "k"))).status == 404


@pytest.mark.parametrize(
    ("place", "field"),
    [(("c" * 129, "k"), "collection"), (("c", "k" * 513), "entry"), (("c", "a\0b"), "entry")],
)
async def test_invalid_names_are_rejected_by_writes_and_not_found_by_reads(
    client: Client, place: tuple[str, str], field: str
) -> None:
    answer = await client.admin("PUT", path(*place), {"value": 1})
    assert (answer.status, answer.details["field"]) == (422, field)
    assert (await client.admin("GET", path(*place))).status == 404
    assert (await client.admin("DELETE", path(*place))).status == 404
    assert (await client.admin("GET", f"/apps/default/kv/{quote('c' + chr(0), safe='')}")).status == 404


async def test_a_prefix_finds_its_keys_in_pages(client: Client) -> None:
    keys = ["a", "a:1", "a:10", "a:2", "a:ü", "a\U0010ffff", "b", "ä"]
    for key in keys:
        await put(client, key, 1)
    assert await listed(client) == sorted(keys, key=str.encode)
    assert await listed(client, "&prefix=a%3A") == ["a:1", "a:10", "a:2", "a:ü"]
    assert await listed(client, "&prefix=%F4%8F%BF%BF") == []
    assert await listed(client, "&prefix=" + quote("a\U0010ffff")) == ["a\U0010ffff"]
    page = (await client.admin("GET", "/apps/default/kv/c?limit=3&prefix=a%3A")).json
    rest = (await client.admin("GET", f"/apps/default/kv/c?prefix=a%3A&cursor={page['next_cursor']}")).json
    assert [one["key"] for one in page["items"] + rest["items"]] == ["a:1", "a:10", "a:2", "a:ü"]
    assert rest["next_cursor"] is None


async def test_an_expired_entry_does_not_exist(client: Client, worker: Worker) -> None:
    await put(client, "k", 1, ttl_seconds=1)
    await worker.database.execute("UPDATE kv_entries SET expires_at = now() - interval '1 s'")
    for method in ("GET", "DELETE"):
        assert (await client.admin(method, path("c", "k"))).status == 404
    assert (await client.admin("GET", "/apps/default/kv/c")).status == 404
    assert (await client.admin("GET", "/apps/default/kv")).json["items"] == []


async def test_entries_of_another_app_are_not_there(client: Client, worker: Worker) -> None:
    await worker.app("other")
    await put(client, "k", "mine")
    theirs = path("c", "k", "other")
    assert (await client.admin("GET", theirs)).status == 404
    assert (await client.admin("DELETE", theirs)).status == 404
    assert (await client.admin("GET", "/apps/other/kv/c")).status == 404
    assert (await client.admin("GET", "/apps/other/kv")).json["items"] == []
    assert (await client.admin("PUT", theirs, {"value": "theirs"})).status == 200
    assert (await client.admin("DELETE", theirs)).status == 204
    assert (await client.admin("GET", path("c", "k"))).json["value"] == "mine"


async def test_the_audit_log_has_the_written_key_without_its_value(client: Client) -> None:
    await put(client, "k/1", "a secret")
    await put(client, "k/1", "another secret")
    await client.admin("DELETE", path("c", "k/1"))
    entries = (await client.admin("GET", "/apps/default/audit?limit=3")).json["items"]
    assert [(one["action"], one["target"]) for one in entries] == [
        ("kv.delete", "c/k/1"),
        ("kv.update", "c/k/1"),
        ("kv.update", "c/k/1"),
    ]
    told = {"collection": "c", "key": "k/1"}
    assert [(one["before"], one["after"]) for one in entries] == [
        (told | {"size": 15}, None),
        (told | {"size": 9}, told | {"size": 15}),
        (None, told | {"size": 9}),
    ]


async def test_usage_is_shown_and_a_full_quota_rejects_additions(
    client: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas, "FRESH_SECONDS", 0.0)
    script = await client.script('kv::collection("c").set("more", 1)')
    limits = dict.fromkeys(quotas.STORES, Amount(1, 1000))
    monkeypatch.setattr(worker.platform.quotas, "_limits", limits)
    await put(client, "k", "abc")
    document = await client.admin("POST", "/apps/default/docs/c", {"data": {}})
    kept = len(HELLO) + len(script["source"])
    assert (await client.admin("GET", "/apps/default/usage")).json["items"] == [
        {"store": "kv", "rows": 1, "bytes": 5, "rows_limit": 1, "bytes_limit": 1000},
        {"store": "docs", "rows": 1, "bytes": 2, "rows_limit": 1, "bytes_limit": 1000},
        {"store": "files", "rows": 0, "bytes": 0, "rows_limit": 1, "bytes_limit": 1000},
        {"store": "scripts", "rows": 2, "bytes": kept, "rows_limit": 1, "bytes_limit": 1000},
        {"store": "executions", "rows": 0, "bytes": 0, "rows_limit": 1, "bytes_limit": 1000},
    ]
    for method, where, body in (
        ("PUT", path("c", "more"), {"value": 1}),
        ("POST", "/apps/default/docs/c", {"data": {}}),
        ("PATCH", f"/apps/default/docs/c/{document.json['id']}", {"data": {"x": "y" * 1000}}),
    ):
        refused = await client.admin(method, where, body)
        if method == "PATCH":
            assert refused.status == 507, refused.body
        assert (refused.status, refused.error) == (507, "quota_exceeded")
        store = "KV" if method == "PUT" else "DOCS"
        assert f"PICLOUD_QUOTA_{store}_" in refused.json["error"]["message"]
    await put(client, "k", "replaced")
    thrown = await client.execute(script)
    assert "kv::set: " in str(thrown.json)
    assert "PICLOUD_QUOTA_KV_ROWS" in str(thrown.json)
    assert (await client.admin("DELETE", path("c", "k"))).status == 204
    await put(client, "more", 1)
