"""Bytes on their way through the guest that ships: as many as may be, in the memory a script has."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator

import orjson
import pytest

from picloud.core.errors import ServiceError
from picloud.core.interface import HostFunction
from picloud.execution.cause import ScriptRequest
from picloud.execution.invocation import MAX_INLINE_BODY
from picloud.sandbox.engine import Engine
from picloud.sandbox.limits import FIXED, MIB
from picloud.sandbox.outcome import FileReference, Outcome
from tests.workbench import Workbench, in_memory, value

MOST = FIXED["max_request_body"]
ENTRY = orjson.dumps({"id": "f", "size": MOST}).decode()


@pytest.fixture
def make(engine: Engine) -> Iterator[Callable[..., Workbench]]:
    """`make(**functions)`: a sandbox whose host has these functions besides those that need no database."""
    made: list[Workbench] = []

    def make(**functions: HostFunction) -> Workbench:
        made.append(Workbench(engine, in_memory() | functions))
        return made[-1]

    yield make
    for workbench in made:
        assert workbench.alive == 0
        workbench.close()


def post(body: bytes, content_type: str = "application/octet-stream") -> ScriptRequest:
    return ScriptRequest(body=body, content_type=content_type)


def sent(outcome: Outcome) -> bytes:
    assert outcome.response is not None, outcome.error
    return outcome.response.body


async def test_a_body_stays_at_the_host_until_it_is_looked_at(make: Callable[..., Workbench]) -> None:
    outcome = await make().run("ctx.request.body.len()", post(bytes(MOST)))
    assert value(outcome) == MOST
    assert outcome.figures.host_calls == {}
    assert outcome.figures.peak_memory_bytes < 4 * MIB


@pytest.mark.parametrize("size", [1, MAX_INLINE_BODY, MAX_INLINE_BODY + 1, MOST])
async def test_a_body_of_any_size_is_returned_unchanged(make: Callable[..., Workbench], size: int) -> None:
    body = os.urandom(size)
    outcome = await make().run("#{ statusCode: 200, body: ctx.request.body }", post(body))
    assert sent(outcome) == body
    raw = await make().run("crypto::sha256(request::body_raw())", post(body, "application/json+x"))
    assert value(raw) == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize(
    ("size", "content_type", "kind"),
    [
        (256 * 1024, "text/plain", "string"),
        (256 * 1024 + 1, "text/plain", "blob"),
        (100_000, "application/json", "string"),
        (10_000, "image/png", "blob"),
    ],
)
async def test_a_long_body_has_the_type_of_its_content_type(
    make: Callable[..., Workbench], size: int, content_type: str, kind: str
) -> None:
    body = b'"' + b"x" * (size - 2) + b'"'
    outcome = await make().run("type_of(ctx.request.body)", post(body, content_type))
    assert value(outcome) == kind


async def test_the_largest_file_goes_in_and_out(make: Callable[..., Workbench]) -> None:
    body, kept = os.urandom(MOST), []

    async def create(_call: object, *params: object) -> str:
        kept.append(params)
        return ENTRY

    async def get(_call: object, *_params: object) -> dict[str, object]:
        return {"file": ENTRY, "data": body}

    workbench = make(files_create=create, files_get=get)
    given = 'let b = request::body_raw(); let c = files::collection("c"); '
    source = f'{given} c.create(#{{ name: "a", data: b, metadata: #{{ a: 1.0 }} }}).size'
    assert value(await workbench.run(source, post(body))) == MOST
    assert kept == [("c", "a", "application/octet-stream", '{"a":1.0}', body)]
    got = await workbench.run('#{ statusCode: 200, body: files::collection("c").get("f").data }')
    assert sent(got) == body


async def test_the_body_of_a_request_becomes_a_file_at_the_host(make: Callable[..., Workbench]) -> None:
    asked = []

    async def create(_call: object, *params: object) -> str:
        asked.append(params)
        return ENTRY

    workbench = make(files_create_from_request=create)
    whole = await workbench.run(
        'files::collection("c").create(#{ name: "a", data: ctx.request.body })', post(bytes(MOST))
    )
    await workbench.run('files::collection("c").create_from_request(#{ name: "b" })', post(bytes(MOST)))
    assert asked == [("c", "a", "application/octet-stream", None), ("c", "b", None, None)]
    assert whole.figures.peak_memory_bytes < 4 * MIB


async def test_the_largest_outbound_response_is_passed_on(make: Callable[..., Workbench]) -> None:
    body, asked = os.urandom(MOST), []

    async def request(_call: object, *params: object) -> dict[str, object]:
        asked.append(params)
        return {"status": 200, "headers": {"content-type": "image/png"}, "body": body, "url": "http://x/"}

    workbench = make(http_request=request)
    source = "let a = http::post(`http://x/`, request::body_raw()); #{ statusCode: 200, body: a.body_raw }"
    assert sent(await workbench.run(source, post(body), memory_limit_mb=64)) == body
    headers = [["content-type", "application/octet-stream"]]
    assert asked == [("POST", "http://x/", headers, None, True, body, [], False)]


async def test_a_file_response_has_no_bytes_in_the_guest(make: Callable[..., Workbench]) -> None:
    async def head(_call: object, _collection: str, file: str) -> str | None:
        return ENTRY if file == "f" else None

    workbench = make(files_head=head)
    source = '#{ statusCode: 206, headers: #{ "x-a": "b" }, body: files::collection("c").response("f") }'
    response = (await workbench.run(source)).response
    assert response is not None
    assert (response.status, response.body, response.headers) == (206, b"", [("x-a", "b")])
    assert response.file == FileReference("c", "f")
    absent = 'let f = files::collection("c").response("x"); #{ statusCode: if f == () { 404 } else { 200 } }'
    missing = (await workbench.run(absent)).response
    assert missing is not None
    assert (missing.status, missing.file) == (404, None)


async def test_a_module_named_while_running_is_asked_for(make: Callable[..., Workbench]) -> None:
    async def source(_call: object, name: str) -> bytes | None:
        if name == "broken":
            raise ServiceError("column source of relation scripts does not exist")
        return b"fn f() { 41 } const N = f() + 1;" if name == "late" else None

    workbench = make(module_source=source)
    load = "let n = `{}`; import n as m; [m::N, m::f()]".format
    assert value(await workbench.run(load("late"))) == [42, 41]
    for name, message in [("absent", "module not found"), ("broken", "module unavailable")]:
        outcome = await workbench.run(load(name))
        assert outcome.error is not None
        assert (outcome.code, outcome.error.message) == ("script_error", f"{message}: {name}")
