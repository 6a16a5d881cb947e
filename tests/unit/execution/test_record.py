"""What is kept of an execution: no credential, nothing that PostgreSQL cannot hold, no more than the caps."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.execution.cause import ScriptRequest
from picloud.execution.record import MAX_BODY, _line, _row, _weight, body_summary, clean, redact
from picloud.sandbox.outcome import LogLine, Outcome, Response, ScriptError
from picloud.services.outbound_decisions import Decisions
from tests.workbench import invocation


@pytest.mark.parametrize(
    "name", ["authorization", "cookie", "proxy-authorization", "set-cookie", "x-api-key"]
)
def test_credentials_are_not_kept(name: str) -> None:
    assert redact([(name, "s3cr3t"), ("accept", "a")]) == {name: "[redacted]", "accept": "a"}
    made = invocation("1", ScriptRequest(headers={name: "s3cr3t"}))
    outcome = Outcome("ok", Response(200, [(name, "s3cr3t"), (name, "s3cr3t")], b""))
    assert "s3cr3t" not in repr(_row(made, outcome, 0.0, Decisions())[6:])


def test_repeated_headers_are_joined() -> None:
    assert redact([("a", "1"), ("a", "2")]) == {"a": "1, 2"}


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_is_made_one_that_postgresql_can_hold(text: str) -> None:
    cleaned = clean(text)
    assert "\0" not in cleaned
    cleaned.encode()
    assert cleaned == text or "\ufffd" in cleaned or any("\ud800" <= letter <= "\udfff" for letter in text)


@given(st.text(), st.integers(0, 4))
def test_a_long_body_is_cut_between_characters(text: str, shift: int) -> None:
    body = b"x" * (MAX_BODY - shift) + "é🎈€".encode() * 10 + text.encode()
    kept = body_summary(body)
    assert kept["body_size"] == len(body)
    assert isinstance(kept["body"], str)
    assert MAX_BODY - 3 <= len(kept["body"].encode()) <= MAX_BODY


@given(st.binary(max_size=100))
def test_a_body_is_kept_as_text_only_where_it_is_text(body: bytes) -> None:
    kept = body_summary(body)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        assert kept["body"] is None
    else:
        assert kept["body"] == clean(text)


def test_a_long_binary_body_is_not_kept_as_text() -> None:
    assert body_summary(b"\xff" * (MAX_BODY + 10))["body"] is None
    assert body_summary(b"a" * 10 + b"\xff" + b"a" * MAX_BODY)["body"] is None


@pytest.mark.parametrize(
    "data",
    [
        '{"a":1}',
        '{"a\\u0000":"\\u0000"}',
        '"\\ud800"',
        "[" * 300 + "]" * 300,
        "[" * 2000 + "]" * 2000,
        "9" * 5000,
        "1e999",
        "NaN",
        "nonsense",
        "",
        "\0",
    ],
)
def test_log_data_of_any_kind_can_be_written(data: str) -> None:
    kept = orjson.dumps(_line(LogLine("in\0fo", "a\ud800\0", data, 0.0)))
    assert b"\\u0000" not in kept


def test_an_error_of_any_kind_can_be_written() -> None:
    outcome = Outcome("script_error", None, ScriptError("a\0\ud800", 1, 2, "m\0"))
    row = _row(
        invocation("1", ScriptRequest(path="/\0\udcff", query={"\0": "\ud800"})), outcome, 0.0, Decisions()
    )
    for value in row:
        if isinstance(value, dict):
            assert b"\\u0000" not in orjson.dumps(value)


def test_what_waits_is_weighed_by_its_bodies_and_logs() -> None:
    request = ScriptRequest(body=bytes(10 * MAX_BODY))
    outcome = Outcome("ok", Response(200, [], bytes(1000)), logs=[LogLine("info", "x" * 500, "y" * 500, 0.0)])
    assert MAX_BODY + 2000 <= _weight(invocation("1", request), outcome, Decisions()) <= MAX_BODY + 10_000
