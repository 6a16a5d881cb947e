"""What is stored can be read: by every function that lists or fetches, under the limits it was stored under.

What was stored under larger limits, or by a user, ends no list: it is listed without its data, and can be
deleted.
"""

from __future__ import annotations

import json
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from picloud.execution.cause import ScriptRequest
from picloud.execution.invocation import ScriptVersion
from picloud.services.docs import SERVICE as DOCS
from picloud.services.kv import SERVICE as KV
from picloud.services.kv.value_json import Value
from tests.integration.conftest import CONSOLE, Worker
from tests.workbench import invocation, script, value

LIMITS = {"max_string_size": 3000, "max_array_size": 60, "max_map_size": 60, "max_host_calls": 10_000}
SMALLER = {"max_string_size": 2000, "max_array_size": 30, "max_map_size": 30, "max_host_calls": 10_000}
LARGER = {"max_string_size": 9000, "max_array_size": 300, "max_map_size": 300, "max_host_calls": 10_000}

WRITE = """
    let q = ctx.request.body;
    let v = q.value;
    if q.pad > 0 { let s = ""; s.pad(q.pad, 'x'); v.pad = s; }
    if q.many > 0 { let a = []; a.pad(q.many, 1); v.many = a; }
    if q.fields > 0 { for i in 0..q.fields { v[`f${i}`] = i; } }
    let result = true;
    try {
        switch q.how {
            "kv" => kv::collection("c").set(q.key, v),
            "blob" => kv::collection("c").set(q.key, blob(q.many * 3, 7)),
            "nested" => kv::collection("c").set(q.key, #{ a: blob(q.many, 7), b: [blob(q.many / 3)], v: v }),
            "set_if" => if !kv::collection("c").set_if(q.key, (), v) { throw "not now" },
            "create" => docs::collection("c").create(v),
            "update" => docs::collection("c").update(docs::collection("c").list().docs[0].id, v),
            "patch" => docs::collection("c").patch(docs::collection("c").list().docs[0].id, v),
            "file" => files::collection("c").create(#{ name: q.name, data: blob(q.many * 2), metadata: v }),
            _ => throw "what?"
        };
    } catch (error) { result = `${error}`; }
    result
"""

READ = """
    let counted = #{ kv: 0, keys: 0, docs: 0, found: 0, files: 0, stubs: 0, unread: 0 };
    let c = kv::collection("c");
    let at = "";
    while at != () {
        let page = c.entries(at);
        for e in page.entries {
            counted.kv += 1;
            if "too_large" in e { counted.stubs += 1; if e.value != () { throw "data" } }
            try { if c.get(e.key) == () { throw "gone" } } catch (error) {
                if !error.contains(" exceeds ") { throw error }
                counted.unread += 1;
            }
        }
        at = page.next_cursor;
    }
    at = "";
    while at != () { let page = c.list(at); counted.keys += page.keys.len(); at = page.next_cursor; }

    let d = docs::collection("c");
    at = "";
    while at != () {
        let page = d.list(at);
        for doc in page.docs {
            counted.docs += 1;
            if "too_large" in doc { counted.stubs += 1; if doc.data != () { throw "data" } }
            try { if d.get(doc.id) == () { throw "gone" } } catch (error) {
                if !error.contains(" exceeds ") { throw error }
                counted.unread += 1;
            }
        }
        at = page.next_cursor;
    }
    let more = true;
    while more {
        let hits = d.find(#{ "$skip": counted.found });
        counted.found += hits.len();
        more = hits.len() > 0 && "more" in hits[-1];
    }

    let f = files::collection("c");
    at = "";
    while at != () {
        let page = f.list(at);
        for file in page.files {
            counted.files += 1;
            if "too_large" in file { counted.stubs += 1; if file.metadata != () { throw "data" } }
            try { if f.get(file.id) == () { throw "gone" } } catch (error) {
                if !error.contains(" exceeds ") { throw error }
                counted.unread += 1;
            }
        }
        at = page.next_cursor;
    }
    counted
"""

CLEAR = """
    let left = true;
    while left {
        left = false;
        for e in kv::collection("c").entries().entries { left = kv::collection("c").delete(e.key); }
        for doc in docs::collection("c").find(#{}) { left = docs::collection("c").delete(doc.id); }
        for file in files::collection("c").list().files { left = files::collection("c").delete(file.id); }
    }
"""

# Sizes around the limits, less what is returned around a value.
SIZES = st.integers(0, 60) | st.integers(0, 30).map(lambda less: 60 - less)
STRINGS = st.integers(0, 3000) | st.integers(0, 800).map(lambda less: 3000 - less)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=6) | st.dictionaries(st.text("abcü", max_size=3), inner, max_size=6)
    ),
    max_leaves=10,
)
WRITES = st.lists(
    st.fixed_dictionaries(
        {
            "how": st.sampled_from(
                [
                    "kv",
                    "blob",
                    "nested",
                    "set_if",
                    "create",
                    "create",
                    "update",
                    "patch",
                    "patch",
                    "file",
                ]
            ),
            "value": st.dictionaries(st.sampled_from("abcd"), JSON, max_size=3),
            "key": st.text("kü", min_size=1, max_size=250),
            "name": st.text("nü", min_size=1, max_size=120),
            "pad": st.just(0) | STRINGS,
            "many": st.just(0) | SIZES,
            "fields": st.just(0) | SIZES,
        }
    ),
    max_size=12,
)
_numbers = count(1)


def request(body: Any) -> ScriptRequest:
    return ScriptRequest(body=json.dumps(body).encode(), content_type="application/json")


async def run(worker: Worker, version: ScriptVersion) -> Any:
    outcome = await worker.platform.executor.execute(invocation(version))
    assert outcome.code == "ok", (outcome.code, outcome.error)
    return value(outcome)


@pytest.mark.slow
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(writes=WRITES)
async def test_what_a_script_stores_every_reading_function_lists_and_fetches(
    worker: Worker, writes: list[dict[str, Any]]
) -> None:
    app = await worker.app(f"readable-{next(_numbers)}")
    write, read = script(WRITE, app=app, **LIMITS), script(READ, app=app, **LIMITS)
    keys, documents, files = set(), 0, 0
    for one in writes:
        outcome = await worker.platform.executor.execute(invocation(write, request(one)))
        if outcome.code != "ok" or value(outcome) is not True:  # refused, or more than the script can build
            continue
        if one["how"] in ("kv", "blob", "nested", "set_if"):
            keys.add(one["key"])
        documents += one["how"] == "create"
        files += one["how"] == "file"
    expected = {"kv": len(keys), "keys": len(keys), "docs": documents, "found": documents, "files": files}
    assert await run(worker, read) == expected | {"stubs": 0, "unread": 0}

    await _store_as_others(worker, app, writes)
    seen = await run(worker, script(READ, app=app, **SMALLER))
    assert seen["keys"] == seen["kv"] >= expected["kv"]
    assert seen["docs"] == seen["found"] >= expected["docs"]
    assert seen["stubs"] >= seen["unread"]  # a page has more around an item than a single one

    await run(worker, script(CLEAR, app=app, **SMALLER))
    assert not any((await run(worker, script(READ, app=app, **SMALLER))).values())


async def _store_as_others(worker: Worker, app: UUID, writes: list[dict[str, Any]]) -> None:
    """Store the same and more as a user, and as a script with larger limits."""
    kv, docs = worker.platform.services.admin(KV), worker.platform.services.admin(DOCS)
    for number, one in enumerate(writes):
        grown = {**one["value"], "many": [one["fields"]] * (one["many"] * 5), "pad": "x" * (one["pad"] * 2)}
        await kv.put(app, "c", f"user{number}", Value(value=grown), None, actor=CONSOLE)
        await docs.create(app, "c", grown, actor=CONSOLE)
    write = script(WRITE, app=app, **LARGER)
    for one in writes:
        await worker.platform.executor.execute(invocation(write, request(one)))


@pytest.mark.parametrize("size", [600_000, 1_000_000])
async def test_what_a_user_stores_uses_up_no_memory_of_a_script_that_lists_it(
    worker: Worker, size: int
) -> None:
    """A map of one field takes fifty times the memory that it has bytes as JSON."""
    app = await worker.app(f"readable-{next(_numbers)}")
    kv, docs = worker.platform.services.admin(KV), worker.platform.services.admin(DOCS)
    await docs.create(app, "c", {"a": [{"b": 0}] * (size // 8)}, actor=CONSOLE)
    await kv.put(app, "c", "k", Value(value=[{"b": 0}] * (size // 4)), None, actor=CONSOLE)
    seen = await run(worker, script(READ, app=app))
    assert seen == {"kv": 1, "keys": 1, "docs": 1, "found": 1, "files": 0, "stubs": 2, "unread": 2}
    await run(worker, script(CLEAR, app=app))
    assert not any((await run(worker, script(READ, app=app))).values())


async def test_a_patch_is_refused_at_the_size_at_which_a_new_document_is(worker: Worker) -> None:
    app = await worker.app(f"readable-{next(_numbers)}")
    source = """
        let c = docs::collection("c");
        let build = |what, n| {
            let data = #{};
            switch what {
                "strings" => { let s = ""; s.pad(n, 'x'); data.s = s; }
                "elements" => { let a = []; a.pad(n, 1); data.a = a; }
                _ => for i in 0..n { data[`f${i}`] = 1; }
            }
            data
        };
        let fits = |what, n| {
            let made = true;
            try { c.create(build.call(what, n)); } catch (error) { made = false; }
            made
        };
        let results = #{};
        for what in ["strings", "elements", "entries"] {
            let n = if what == "strings" { 3000 } else { 60 };
            while !fits.call(what, n) { n -= 1; }
            let made = c.create(#{});
            let patched = c.patch(made.id, build.call(what, n)).data.len() > 0;
            let before = c.get(made.id);
            let refused = "";
            try { c.patch(made.id, build.call(what, n + 1)); } catch (error) { refused = error; }
            let unchanged = c.get(made.id) == before;
            results[what] = #{ n: n, patched: patched, refused: refused, unchanged: unchanged };
        }
        results
    """
    seen = await run(worker, script(source, app=app, **LIMITS))
    for what, n, limit in (
        ("strings", 2880, "3000 bytes (max_string_size)"),
        ("elements", 59, "60 elements (max_array_size)"),
        ("entries", 53, "60 entries (max_map_size)"),
    ):
        assert (seen[what]["n"], seen[what]["patched"], seen[what]["unchanged"]) == (n, True, True)
        assert seen[what]["refused"].startswith("docs::patch: the document would be too large")
        assert limit in seen[what]["refused"]
