"""Promises of documents, on a real database and, where the guest has a part in it, through real scripts."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from picloud.core.errors import ServiceError
from picloud.db.pool import Database
from picloud.execution.invocation import ScriptVersion
from picloud.services.call_context import Call
from picloud.services.collections import MAX_PAGE_BYTES, page_bytes
from picloud.services.docs.documents import MAX_DATA
from picloud.services.docs.service import DatabaseDocs
from picloud.services.docs.sql import _ENVELOPE_SIZE
from tests.integration.conftest import Worker
from tests.integration.services.docs.reference import merged
from tests.workbench import invocation, script, value

C = 'let c = docs::collection("c"); '
_numbers = count(1)


@pytest.fixture
async def app(worker: Worker) -> UUID:
    return await worker.app(f"app-{next(_numbers)}")


@pytest.fixture
def docs(worker: Worker) -> DatabaseDocs:
    return DatabaseDocs(worker.database)


@pytest.fixture
def call(app: UUID) -> Call:
    return Call(app, uuid4(), uuid4())


async def run(worker: Worker, app: UUID, source: str | ScriptVersion, **limits: int) -> Any:
    """What a script answers, or the message of what it throws."""
    version = script(source, app=app, **limits) if isinstance(source, str) else source
    outcome = await worker.platform.executor.execute(invocation(version))
    if outcome.code == "script_error":
        assert outcome.error is not None
        return outcome.error.message
    return value(outcome)


async def create(docs: DatabaseDocs, call: Call, data: Any, collection: str = "c") -> str:
    made = await docs.create(call, collection, json.dumps(data))
    return str(json.loads(made)["id"])


def compact(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


async def data_of(docs: DatabaseDocs, call: Call, id_: str) -> Any:
    envelope = await docs.get(call, "c", id_)
    return envelope and json.loads(envelope)["data"]


async def test_an_envelope_has_the_times_of_creation_and_change(worker: Worker, app: UUID) -> None:
    source = C + "let a = c.create(#{ n: 1 }); let b = c.update(a.id, #{ n: 2 }); [a, b, c.get(a.id)]"
    made, changed, got = await run(worker, app, source)
    assert list(made) == ["created_at", "data", "id", "updated_at"]
    assert made["created_at"] == made["updated_at"] == changed["created_at"] <= changed["updated_at"]
    assert made["created_at"].endswith("Z")
    assert got == changed
    assert changed["data"] == {"n": 2}


NUMBERS = [
    *("0", "1", "-1", "9223372036854775807", "-9223372036854775807", "9007199254740993"),
    *("1.0", "0.5", "0.1 + 0.2", "1e15", "1e16", "123456789012345680.0", "9.2e18", "1e19", "1e22", "1e300"),
    *("1.7976931348623157e308", "5e-324", "2.2250738585072014e-308", "-1e16", "1e-7", "100.0"),
]


async def test_numbers_are_read_back_with_their_type(worker: Worker, app: UUID) -> None:
    wrong = "let wrong = []; for (n, i) in [" + ", ".join(NUMBERS) + "] { "
    source = (
        C
        + wrong
        + (
            "let made = c.create(#{ n: n }); "
            "for back in [made.data.n, c.get(made.id).data.n,"
            ' c.find(#{ n: n, i: #{ "$exists": false } })[0].data.n,'
            " c.patch(made.id, #{ i: i }).data.n] {"
            " if type_of(back) != type_of(n) || back != n { wrong.push([i, type_of(back), back]); } } } wrong"
        )
    )
    found = await run(worker, app, source)
    assert found == []


async def test_zero_has_no_sign_once_it_is_stored(worker: Worker, app: UUID) -> None:
    assert await run(worker, app, C + "let z = c.create(#{ n: -0.0 }).data.n; [type_of(z), z]") == [
        "f64",
        0.0,
    ]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("c.create(1)", "create"),
        ("c.create([1])", "create"),
        ("c.create(#{ a: 0.0/0.0 })", "a"),
        ("c.create(#{ a: 1.0/0.0 })", "a"),
        ("c.create(#{ a: [#{ b: blob(3) }] })", "blob"),
        ("c.create(#{ a: |x| x })", "a"),
        ('c.create(#{ a: "x\\x00y" })', "NUL"),
        ('c.create(#{ "a\\x00": 1 })', "NUL"),
        ('c.update("none", #{ a: 1 })', "no such document"),
        ('c.patch("none", #{ a: 1 })', "no such document"),
        ('c.patch("00000000-0000-0000-0000-000000000000", #{ a: 1 })', "no such document"),
        ('c.list("", 0)', "limit must be 1 to 1000"),
        ('c.list("", 1001)', "limit must be 1 to 1000"),
        ('c.list("nonsense")', "invalid cursor"),
        ('c.find(#{ "$where": 1 })', "unknown operator $where"),
        ('docs::collection("").count(#{})', "must not be empty"),
        ('let s = ""; s.pad(65, "é"); docs::collection(s).count(#{})', "at most 128 bytes, not 130"),
        ('docs::collection("\\x00").count(#{})', "NUL"),
    ],
)
async def test_an_invalid_argument_throws_with_its_name(
    worker: Worker, app: UUID, source: str, said: str
) -> None:
    message = await run(worker, app, C + source)
    assert isinstance(message, str)
    assert said in message
    assert await run(worker, app, C + "c.count(#{})") == 0


@pytest.mark.parametrize(
    "id_",
    [
        *("", "none", "a\0b", "é" * 36, "x" * 36, "00000000-0000-0000-0000-000000000000", "9" * 100_000),
        *(
            "'; DROP TABLE docs; --",
            "../../etc/passwd",
            "{0}",
            "urn:uuid:{0}",
            "{{{0}}}",
            "{0} ",
            " {0}",
            "----{hex}",
        ),
        *("{hex}", "0x{hex}", "{hex}----", "-{hex}---"),
    ],
)
async def test_an_invalid_id_is_not_found(docs: DatabaseDocs, call: Call, id_: str) -> None:
    made = UUID(await create(docs, call, {"n": 1}))
    odd = id_.replace("{{{0}}}", f"{{{made}}}").replace("{0}", str(made)).replace("{hex}", made.hex)
    if odd == str(made):
        pytest.skip("this is the id")
    assert await docs.get(call, "c", odd) is None
    assert await docs.delete(call, "c", odd) is False
    for change in (docs.update, docs.patch):
        with pytest.raises(ServiceError, match="no such"):
            await change(call, "c", odd, '{"n": 2}')
    assert await data_of(docs, call, str(made)) == {"n": 1}


TEXTS = [
    "",
    "é",
    "e\u0301",
    "🎈",
    "\u2028",
    "\uffff",
    "\u0001",
    "\u007f",
    "\ud7ff",
    '"\\/',
    "null",
    "\r\n\t",
    "${x}",
    "'",
]


async def test_any_string_and_field_name_is_read_back(docs: DatabaseDocs, call: Call) -> None:
    data = {
        "texts": TEXTS,
        **{text: text for text in TEXTS},
        "nested": {text: [{text: text}] for text in TEXTS},
    }
    id_ = await create(docs, call, data)
    assert await data_of(docs, call, id_) == data
    for text in TEXTS:
        assert await docs.count(call, "c", {"texts": {"$contains": text}}) == 1
        if text and "." not in text and not text.startswith("$"):
            assert await docs.count(call, "c", {text: text, f"nested.{text}": {"$exists": True}}) == 1


async def test_the_deepest_value_of_a_script_is_read_back(worker: Worker, app: UUID) -> None:
    deep = "let v = 1; for i in 0..%d { v = [v]; } "
    source = (
        C
        + deep % 60
        + (
            "let made = c.create(#{ v: v }); let back = c.get(made.id).data.v; let n = 0;"
            ' while type_of(back) == "array" { back = back[0]; n += 1; } [n, back]'
        )
    )
    assert await run(worker, app, source) == [60, 1]
    message = await run(worker, app, C + deep % 500 + "c.create(#{ v: v })")
    assert isinstance(message, str)


async def test_a_document_nested_too_deeply_is_rejected(docs: DatabaseDocs, call: Call) -> None:
    for levels in (127, 1000, 5000, 100_000, 250_000):
        with pytest.raises(ServiceError, match=r"\b127\b"):
            await docs.create(call, "c", '{"a":' + "[" * levels + "]" * levels + "}")
    assert await docs.count(call, "c", {}) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "a document must be a map"),
        ("1", "a document must be a map"),
        ("null", "a document must be a map"),
        ("", "not JSON"),
        ("{", "not JSON"),
        ('{"a": NaN}', "not JSON"),
        ('{"a": 1e999999}', "not JSON"),
        ('{"a": "\\u0000"}', "NUL"),
        ('{"a": "\\ud800"}', "not JSON"),
        ('{"a": "' + "x" * MAX_DATA + '"}', "at most 1048576 bytes"),
        ('{"a": [' + ",".join(["1e300"] * 100_000) + "]}", "at most 1048576 bytes"),
    ],
)
async def test_a_forged_document_is_rejected_with_a_message(
    docs: DatabaseDocs, call: Call, text: str, said: str
) -> None:
    with pytest.raises(ServiceError, match=said):
        await docs.create(call, "c", text)
    id_ = await create(docs, call, {"n": 1})
    with pytest.raises(ServiceError, match=said):
        await docs.update(call, "c", id_, text)
    assert await data_of(docs, call, id_) == {"n": 1}


async def test_the_largest_document_is_kept(docs: DatabaseDocs, call: Call) -> None:
    text = "x" * (MAX_DATA - len('{"a":""}'))
    id_ = str(json.loads(await docs.create(call, "c", f'{{"a":"{text}"}}'))["id"])
    assert await data_of(docs, call, id_) == {"a": text}


@pytest.mark.parametrize("leaf", ["1", "{}", "[]"])
async def test_no_patch_makes_the_deepest_document_deeper(
    worker: Worker, app: UUID, docs: DatabaseDocs, call: Call, leaf: str
) -> None:
    around = 126 if leaf == "1" else 125

    def nested(levels: int) -> str:
        return '{"a":' + "[" * levels + leaf + "]" * levels + "}"

    id_ = str(json.loads(await docs.create(call, "c", nested(around)))["id"])
    assert await run(worker, app, C + f'c.get("{id_}").data.a.len()') == 1
    assert await run(worker, app, C + "c.find(#{}).len()") == 1
    for levels in (around + 1, 1000):
        for change in (docs.update, docs.patch):
            with pytest.raises(ServiceError, match=r"\b127\b"):
                await change(call, "c", id_, nested(levels))
    await docs.patch(call, "c", id_, '{"b": 1}')


async def test_a_patch_leads_to_no_larger_document_than_can_be_written(
    docs: DatabaseDocs, call: Call
) -> None:
    call = replace(call, limits=replace(call.limits, max_string_size=MAX_DATA, max_array_size=100_000))
    odd = ', : \\" ü' * 50_000
    kept = {"odd": odd, "list": [1, {"a": None}, [], {}, ", "] * 100}
    id_ = str(json.loads(await docs.create(call, "c", compact(kept)))["id"])
    room = MAX_DATA - len(compact({**kept, "x": ""}).encode())
    with pytest.raises(ServiceError, match=r"\b1048576\b"):
        await docs.patch(call, "c", id_, compact({"x": "x" * (room + 1)}))
    await docs.patch(call, "c", id_, compact({"x": "x" * room}))
    whole = {**kept, "x": "x" * room}
    assert await data_of(docs, call, id_) == whole
    assert len(compact(whole).encode()) == MAX_DATA
    await docs.update(call, "c", id_, compact(whole))
    await docs.patch(call, "c", id_, '{"list": null}')


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
    | st.just(": , "),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), inner)
    ),
    max_leaves=30,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(JSON, min_size=1))
async def test_the_database_measures_json_as_sent(database: Database, values: list[Any]) -> None:
    texts = [compact(value) for value in values]
    sizes = await database.fetch("SELECT docs_json_size(t::jsonb) FROM unnest($1::text[]) AS t", texts)
    assert [size for (size,) in sizes] == [len(text.encode()) for text in texts]


# RFC 7396, appendix A: those whose original and patch are objects, as documents and patches must be.
EXAMPLES = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    # The rest of the appendix, one level down.
    ({"x": ["a", "b"]}, {"x": ["c", "d"]}, {"x": ["c", "d"]}),
    ({"x": {"a": "b"}}, {"x": ["c"]}, {"x": ["c"]}),
    ({"x": {"a": "foo"}}, {"x": None}, {}),
    ({"x": {"a": "foo"}}, {"x": "bar"}, {"x": "bar"}),
    ({"x": [1, 2]}, {"x": {"a": "b", "c": None}}, {"x": {"a": "b"}}),
    (
        {"a": [None, {"b": None}]},
        {"c": [None, {"d": None}]},
        {"a": [None, {"b": None}], "c": [None, {"d": None}]},
    ),
]


@pytest.mark.parametrize(("before", "patch", "after"), EXAMPLES)
async def test_a_patch_merges_as_the_rfc_says(
    docs: DatabaseDocs, call: Call, before: Any, patch: Any, after: Any
) -> None:
    assert merged(before, patch) == after
    id_ = await create(docs, call, before)
    assert json.loads(await docs.patch(call, "c", id_, json.dumps(patch)))["data"] == after
    assert await data_of(docs, call, id_) == after


async def test_concurrent_patches_of_different_fields_all_apply(worker: Worker, app: UUID) -> None:
    id_ = (await run(worker, app, C + "c.create(#{ deep: #{ kept: true } })"))["id"]
    scripts = [
        script(C + f'for i in 0..5 {{ c.patch("{id_}", #{{ f{n}: i, deep: #{{ d{n}: i }} }}); }} 1', app=app)
        for n in range(20)
    ]
    assert await asyncio.gather(*(run(worker, app, one) for one in scripts)) == [1] * 20
    data = (await run(worker, app, C + f'c.get("{id_}")'))["data"]
    assert data == {
        **{f"f{n}": 4 for n in range(20)},
        "deep": {"kept": True, **{f"d{n}": 4 for n in range(20)}},
    }


async def test_pages_are_complete_while_others_write_and_delete(worker: Worker, app: UUID) -> None:
    kept = await run(
        worker, app, C + "let ids = []; for i in 0..200 { ids.push(c.create(#{ i: i }).id); } ids"
    )
    noise = script(
        C + "for i in 0..60 { let d = c.create(#{ noise: i }); c.patch(d.id, #{ m: 1 }); c.delete(d.id); }"
        ' for d in c.find(#{ i: #{ "$exists": true }, "$limit": 20 }) { c.patch(d.id, #{ touched: 1 }); } 1',
        app=app,
    )
    walk = script(
        C + 'let all = []; let at = ""; while at != () { '
        "let p = c.list(at, 7); for d in p.docs { all.push(d.id); } at = p.next_cursor; } all",
        app=app,
    )
    outcomes = await asyncio.gather(
        *(run(worker, app, one) for one in (noise, walk, noise, walk, noise, walk))
    )
    for pages in outcomes[1::2]:
        assert pages == sorted(set(pages))
        assert [id_ for id_ in pages if id_ in set(kept)] == kept
    assert await run(worker, app, walk) == kept


async def test_a_page_holds_no_more_than_the_script_could_read_and_the_next_goes_on(
    docs: DatabaseDocs, call: Call
) -> None:
    ids = [await create(docs, call, {"n": n, "x": "x" * 1_000_000}) for n in range(20)]
    most = page_bytes(call.limits)
    assert 1_100_000 < most < MAX_PAGE_BYTES == page_bytes(replace(call.limits, max_string_size=2**23))
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page: dict[str, Any] = await docs.list(call, "c", cursor, 1000)
        size = sum(len(one) for one, _ in page["docs"])
        assert most - 1_100_000 < size <= most + 1_100_000 or not page["more"]
        seen += [json.loads(one)["id"] for one, _ in page["docs"]]
        cursor = page["docs"][-1][1] if page["more"] else None
    assert seen == ids

    found = await docs.find(call, "c", {"$limit": 8, "$skip": 5, "$sort": "n"})
    assert found["more"] is True
    assert [json.loads(one)["data"]["n"] for one in found["docs"]] == [5, 6]
    last = await docs.find(call, "c", {"$limit": 8, "$skip": 19})
    assert (len(last["docs"]), last["more"]) == (1, False)
    assert await docs.count(call, "c", {}) == 20


async def test_a_search_without_a_limit_says_when_a_thousand_are_not_all(
    docs: DatabaseDocs, call: Call, database: Database
) -> None:
    await database.execute(
        "INSERT INTO docs (app_id, collection, id, data)"
        " SELECT $1, 'c', gen_random_uuid(), '{}' FROM generate_series(1, 1001)",
        call.app_id,
    )
    for filter_, count_, more in (
        ({}, 1000, True),
        ({"$limit": 1000}, 1000, False),
        ({"$skip": 1}, 1000, False),
    ):
        found = await docs.find(call, "c", filter_)
        assert (len(found["docs"]), found["more"]) == (count_, more)


async def test_the_size_a_page_counts_with_is_that_of_the_envelope(
    docs: DatabaseDocs, call: Call, database: Database
) -> None:
    for data in ({}, {"é": "🎈", "n": 1e300}, {"x": "x" * 3000}):
        await create(docs, call, data)
    rows = await database.fetch(
        f"SELECT octet_length(docs_envelope(doc)) AS real, {_ENVELOPE_SIZE} AS counted FROM docs doc"
    )
    assert [row["counted"] for row in rows] == [row["real"] for row in rows]
    assert "133" in _ENVELOPE_SIZE  # as in docs_list


@pytest.mark.parametrize(
    "operand",
    [
        *({name: 1} for name in ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$contains")),
        *({name: "a"} for name in ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$contains")),
        *({"$eq": one} for one in (None, [1], {"b": 1}, True)),
        *({name: [1, "a", None]} for name in ("$in", "$nin")),
        *({"$in": []}, {"$exists": True}, {"$exists": False}, {"$contains": None}),
    ],
)
async def test_each_document_matches_a_condition_or_its_opposite(
    docs: DatabaseDocs, call: Call, operand: Any
) -> None:
    values = [None, True, 0, 1, 2.5, "", "a", "b", [], [1], ["a"], [None], {}, {"b": 1}, {"b": {"b": None}}]
    for one in values:
        await create(docs, call, {"a": one})
    await create(docs, call, {})
    for path in ("a", "a.b", "a.b.c.d.e"):
        met = await docs.count(call, "c", {path: operand})
        for opposite in ({"$not": {path: operand}}, {path: {"$not": operand}}):
            assert met + await docs.count(call, "c", opposite) == len(values) + 1, path


async def test_the_largest_filter_is_accepted(docs: DatabaseDocs, call: Call) -> None:
    await create(docs, call, {"n": 1})
    ranges = [{f"a{n}.b.c.d.e": {"$gt": n}} for n in range(32)]
    many = {"$or": [*ranges, *({f"a{n}.b.c.d.e": n} for n in range(223)), {"n": 1}]}
    assert await docs.count(call, "c", many) == 1
    found = await docs.find(call, "c", many | {"$sort": [f"-s{n}.b.c.d.e" for n in range(5)]})
    assert len(found["docs"]) == 1
    values = [[f"text {n}"] for n in range(128)]  # an array and its element are two
    assert await docs.count(call, "c", {"n": {"$nin": values}}) == 1


async def test_a_search_that_takes_too_long_ends_with_its_execution(
    worker: Worker, app: UUID, database: Database
) -> None:
    await database.execute(
        "INSERT INTO docs (app_id, collection, id, data) SELECT $1, 'c', gen_random_uuid(),"
        " jsonb_build_object('t', repeat('x', 2000), 'n', n) FROM generate_series(1, 30000) n",
        app,
    )
    slow = "#{ " + '"$or": [' + ", ".join(f'#{{ t: #{{ "$contains": "y{n}" }} }}' for n in range(250)) + "] }"
    outcome = await worker.platform.executor.execute(
        invocation(script(C + f"c.count({slow})", app=app, timeout_seconds=1))
    )
    assert outcome.code == "timeout"
    async with asyncio.timeout(30):
        while await database.fetchval(  # noqa: ASYNC110  # nothing announces it
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
            " AND query LIKE '%strpos%' AND pid <> pg_backend_pid()"
        ):
            await asyncio.sleep(0.01)
    assert await run(worker, app, C + "c.count(#{ n: 7 })") == 1
