"""What an anonymous caller can make a script store: it breaks no list of the app."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

import orjson
import pytest

from picloud.execution.cause import ScriptRequest
from tests.integration.conftest import Worker
from tests.workbench import invocation, script, value


@dataclass(frozen=True)
class Poison:
    """A script that stores what it is sent.

    Attributes:
        source: what it does with `body`.
        bodies: what it is sent, one after the other.
        stored: how many documents, values and files there are afterwards.
        refused: how many requests end with an error.
    """

    source: str
    bodies: list[Any]
    stored: int = 0
    refused: int = 0


CREATE = 'docs::collection("c").create(body);'
PATCH = """
    let c = docs::collection("c"); let all = c.list().docs;
    if all.is_empty() { c.create(body); } else { let p = #{}; p[body.n] = body.s; c.patch(all[0].id, p); }
"""
UPDATE = """
    let c = docs::collection("c"); let all = c.list().docs;
    if all.is_empty() { c.create(#{}); } else { c.update(all[0].id, body); }
"""
SET = 'kv::collection("c").set(body.key, body.value);'
LONG_KEYS = """
    let k = ""; k.pad(508, "k"); let c = kv::collection("c");
    for n in 0..600 { c.set(`${n + 1000}${k}`, 1); }
"""
FILES = """
    for n in 0..body.n { files::collection("c").create(#{ name: "f", data: "", metadata: body.m }); }
"""
MANY, LONG = [1] * 10_001, "x" * 20_000

POISON = {
    "a document with 10,001 elements": Poison(CREATE, [{"a": MANY}], refused=1),
    "a document with 12,000 elements in four arrays": Poison(CREATE, [{"a": [[1] * 3_000] * 4}], refused=1),
    "a document with 10,001 fields": Poison(CREATE, [{f"f{n}": n for n in range(10_001)}], refused=1),
    "a document with a string of the limit": Poison(CREATE, [{"s": "x" * 262_144}], refused=1),
    "14 documents of 20 KB": Poison(CREATE, [{"s": LONG}] * 14, stored=14),
    "a document that grows by patches": Poison(
        PATCH, [{"n": f"n{n}", "s": "x" * 60_000} for n in range(6)], stored=1, refused=2
    ),
    "a document that is updated to 10,001 elements": Poison(UPDATE, [{}, {"a": MANY}], stored=1, refused=1),
    "a value with 10,001 elements": Poison(SET, [{"key": "k", "value": MANY}], refused=1),
    "a value with a string of the limit": Poison(SET, [{"key": "k", "value": "x" * 262_144}], refused=1),
    "a value set by comparison": Poison('kv::collection("c").set_if("k", (), body);', [MANY], refused=1),
    "14 values of 20 KB": Poison(SET, [{"key": f"{n}", "value": LONG} for n in range(14)], stored=14),
    "600 keys of 512 bytes": Poison(LONG_KEYS, [{}], stored=600),
    "100 files with 16 KB of metadata": Poison(FILES, [{"n": 100, "m": {"s": "x" * 16_000}}], stored=100),
    "a file with 8,000 elements of metadata": Poison(FILES, [{"n": 1, "m": {"a": [1] * 8_000}}], refused=1),
}
WALK = """
    let d = docs::collection("c"); let c = kv::collection("c"); let f = files::collection("c");
    let n = 0; let cursor = "";
    while cursor != () {
        let page = d.list(cursor); n += page.docs.len(); cursor = page.next_cursor;
        for doc in page.docs { if d.get(doc.id).data != doc.data { throw "other data" } }
    }
    let skip = 0; let more = true;
    while more {
        let found = d.find(#{ "$skip": skip }); skip += found.len();
        more = !found.is_empty() && "more" in found[-1];
    }
    if skip != n { throw `found ${skip} of ${n}` }
    cursor = "";
    while cursor != () { let page = c.entries(cursor); n += page.entries.len(); cursor = page.next_cursor; }
    let keys = 0; cursor = "";
    while cursor != () { let page = c.list(cursor); keys += page.keys.len(); cursor = page.next_cursor; }
    if keys + skip != n { throw `${keys} keys of ${n - skip}` }
    cursor = "";
    while cursor != () {
        let page = f.list(cursor, 1000); n += page.files.len(); cursor = page.next_cursor;
        for file in page.files { f.get(file.id); }
    }
    n
"""
_numbers = count(1)


@pytest.mark.parametrize("name", POISON)
async def test_what_a_caller_sends_breaks_no_list(name: str, worker: Worker) -> None:
    poison = POISON[name]
    app = await worker.app(f"poison-{next(_numbers)}")
    write, walk = script(f"let body = ctx.request.body; {poison.source} 1", app=app), script(WALK, app=app)
    refused = 0
    for body in poison.bodies:
        request = ScriptRequest(body=orjson.dumps(body), content_type="application/json")
        outcome = await worker.platform.executor.execute(invocation(write, request))
        if outcome.code != "ok":
            assert outcome.code == "script_error"
            assert outcome.error is not None
            assert "too large to be read back" in outcome.error.message
            refused += 1
    assert value(await worker.platform.executor.execute(invocation(walk))) == poison.stored
    assert refused == poison.refused
