"""`url::decode_query` reads what the query of a request is read from, the same way."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, unquote_to_bytes

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from picloud.core.errors import BadRequest
from picloud.execution.cause import ScriptRequest
from picloud.http.public.invoke import script_query
from picloud.sandbox.engine import Engine
from tests.workbench import Workbench, value

DECODE = """
    ctx.request.body.map(|text| {
        let read = ();
        try { read = url::decode_query(text); } catch (e) { read = e; }
        read
    })
"""
PIECES = st.sampled_from(["a", "b", "ü", "🎈", "=", "&", "+", ";", "?", " ", "%", "%2", "%zz", "%ff", "%00"])
TEXT = st.lists(PIECES | st.text(max_size=3).map(quote), max_size=12).map("".join)


@pytest.fixture
def workbench(engine: Engine) -> Iterator[Workbench]:
    workbench = Workbench(engine)
    yield workbench
    workbench.close()


def broken(text: str) -> bool:
    """Whether a `%` begins no octet, or the octets are not UTF-8; both are allowed in a request's query."""
    digits = "0123456789abcdefABCDEF"
    halves = [piece[:2] for piece in text.split("%")[1:]]
    if any(len(half) < 2 or any(digit not in digits for digit in half) for half in halves):
        return True
    try:
        unquote_to_bytes(text).decode()
        script_query(text)
    except (BadRequest, UnicodeError):
        return True
    return False


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(TEXT, min_size=1, max_size=50))
async def test_a_query_is_parsed_like_that_of_a_request(workbench: Workbench, texts: list[str]) -> None:
    request = ScriptRequest(body=orjson.dumps(texts), content_type="application/json")
    answers = value(await workbench.run(DECODE, request))
    assert isinstance(answers, list)
    for text, answer in zip(texts, answers, strict=True):
        if broken(text):
            assert isinstance(answer, str), text
            assert answer.startswith("url::decode_query: ")
        else:
            assert answer == script_query(text)


async def test_a_form_that_was_sent_is_read(workbench: Workbench) -> None:
    request = ScriptRequest(
        body=b"name=Ada+L%C3%B6&name=Bob&all", content_type="application/x-www-form-urlencoded"
    )
    assert value(await workbench.run("url::decode_query(ctx.request.body)", request)) == {
        "name": "Bob",
        "all": "",
    }


@pytest.mark.parametrize(
    ("fields", "said"), [(10_000, "10000"), (10_001, "max_map_size"), (80_000, "max_map_size")]
)
async def test_names_above_the_limit_of_a_map_are_rejected(
    workbench: Workbench, fields: int, said: str
) -> None:
    body = "&".join(f"{number:x}" for number in range(fields)).encode()[: 256 * 1024]
    source = """
        let said = "";
        try { said += url::decode_query(ctx.request.body).len(); } catch (e) { said = e; }
        said
    """
    answer = value(await workbench.run(source, ScriptRequest(body=body, content_type="text/plain")))
    assert isinstance(answer, str)
    assert said in answer
