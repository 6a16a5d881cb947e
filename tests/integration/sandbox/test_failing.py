"""What a script catches: text where a function refuses, a map where the language finds something wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from picloud.core.errors import Unavailable
from picloud.execution.cause import ScriptRequest
from picloud.sandbox.engine import Engine
from tests.workbench import Workbench, in_memory, value


@pytest.fixture
def workbench(engine: Engine) -> Iterator[Workbench]:
    async def source(_call: object, _name: str) -> bytes | None:
        return None

    workbench = Workbench(engine, in_memory() | {"module_source": source})
    yield workbench
    workbench.close()


async def caught(workbench: Workbench, source: str, body: bytes = b"") -> Any:
    """What a script catches of what goes wrong."""
    request = ScriptRequest(body=body, content_type="text/plain")
    return value(await workbench.run(f"let e = (); try {{ {source} }} catch (x) {{ e = x; }} e", request))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ('import "absent" as m; m::f()', "module not found"),
        ('let n = "ab" + "sent"; import n as m; m::f()', "module not found"),
        ('import "kv" as m; m::f()', "import: kv is a built-in namespace and needs no import"),
        ('url::decode_query("a=1&b=%zz")', "url::decode_query: invalid percent-encoding at byte 6"),
        ("json::parse(ctx.request.body)", "json::parse: the result exceeds"),
        ('throw "mine"', "mine"),
    ],
)
async def test_an_error_of_a_function_is_caught_as_a_string(
    workbench: Workbench, source: str, text: str
) -> None:
    numbers = b"[" + b"1," * 10_000 + b"1]"
    assert (await caught(workbench, source, numbers)).startswith(text)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "Division by zero"),
        ("[1][5]", "out of bounds"),
        ("absent()", "Function not found: absent"),
        ("absent::f()", "Module not found: absent"),
    ],
)
async def test_an_error_of_the_language_is_caught_as_a_map_with_its_position(
    workbench: Workbench, source: str, message: str
) -> None:
    error = await caught(workbench, f"\n  {source}")
    assert message in error["message"]
    assert (error["line"], error["position"]) >= (2, 3)


async def test_a_blob_of_any_length_is_iterated_as_integers(workbench: Workbench) -> None:
    source = """
        fn doubled(bytes) {
            let sum = 0;
            for byte in bytes { sum += byte * 2; }
            sum
        }
        let digits = "";
        digits.pad(40000, "c8");
        [blob(3, 7), blob(), base64::decode("gP8=")].map(doubled) + [doubled(hex::decode(digits))]
    """
    assert value(await workbench.run(source)) == [42, 0, 766, 8_000_000]


async def test_an_unavailable_database_is_not_logged_per_execution(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    async def away(*_params: object) -> None:
        raise Unavailable

    workbench = Workbench(engine, in_memory() | {"kv_get": away})
    outcome = await workbench.run('kv::collection("c").get("k")')
    workbench.close()
    assert outcome.error is not None
    assert (outcome.code, outcome.error.message) == ("unavailable", Unavailable().message)
    assert caplog.records == []
