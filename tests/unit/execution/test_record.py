"""What is kept of an execution: no credential, nothing that PostgreSQL cannot hold, no more than the caps."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.config.secret_names import SECRET_NAMES
from picloud.control.record_bodies import RecordBodies
from picloud.core.text import clean
from picloud.execution.cause import ScriptRequest
from picloud.execution.record_row import (
    MAX_BODY,
    ROW_BYTES,
    Omitted,
    Row,
    _line,
    body_summary,
    bytes_of,
    make_row,
)
from picloud.execution.redaction import Redaction
from picloud.identity.tokens import new_key
from picloud.sandbox.outcome import LogLine, Outcome, Response, ScriptError
from picloud.services.outbound_decisions import Decisions
from tests.workbench import invocation, script

REDACTION = Redaction(SECRET_NAMES)


@pytest.mark.parametrize(
    "name", ["authorization", "cookie", "proxy-authorization", "set-cookie", "x-api-key"]
)
def test_credentials_are_not_kept(name: str) -> None:
    assert REDACTION.headers([(name, "s3cr3t"), ("accept", "a")]) == {name: "[redacted]", "accept": "a"}
    made = invocation("1", ScriptRequest(headers={name: "s3cr3t"}))
    outcome = Outcome("ok", Response(200, [(name, "s3cr3t"), (name, "s3cr3t")], b""))
    assert "s3cr3t" not in repr(make_row(made, outcome, 0.0, Decisions(), REDACTION)[6:])


def test_repeated_headers_are_joined() -> None:
    assert REDACTION.headers([("a", "1"), ("a", "2")]) == {"a": "1, 2"}


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_is_made_storable_for_postgresql(text: str) -> None:
    cleaned = clean(text)
    assert "\0" not in cleaned
    cleaned.encode()
    assert cleaned == text or "\ufffd" in cleaned or any("\ud800" <= letter <= "\udfff" for letter in text)


@given(st.text(), st.integers(0, 4))
def test_a_long_body_is_cut_between_characters(text: str, shift: int) -> None:
    body = b"x" * (MAX_BODY - shift) + "é🎈€".encode() * 10 + text.encode()
    kept = body_summary(body, None, REDACTION)
    assert kept["body_size"] == len(body)
    assert isinstance(kept["body"], str)
    assert MAX_BODY - 3 <= len(kept["body"].encode()) <= MAX_BODY


@given(st.binary(max_size=100))
def test_a_body_is_kept_as_text_only_where_it_is_text(body: bytes) -> None:
    kept = body_summary(body, None, REDACTION)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        assert kept["body"] is None
    else:
        assert kept["body"] == clean(text)


def test_a_long_binary_body_is_not_kept_as_text() -> None:
    assert body_summary(b"\xff" * (MAX_BODY + 10), None, REDACTION)["body"] is None
    assert body_summary(b"a" * 10 + b"\xff" + b"a" * MAX_BODY, None, REDACTION)["body"] is None


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
    kept = orjson.dumps(_line(LogLine("in\0fo", "a\ud800\0", data, 0.0), REDACTION))
    assert b"\\u0000" not in kept


def test_an_error_of_any_kind_can_be_written() -> None:
    outcome = Outcome("script_error", None, ScriptError("a\0\ud800", 1, 2, "m\0"))
    made = invocation("1", ScriptRequest(path="/\0\udcff", query={"\0": "\ud800"}))
    for value in make_row(made, outcome, 0.0, Decisions(), REDACTION):
        if isinstance(value, orjson.Fragment):
            assert b"\\u0000" not in orjson.dumps(value)


def test_a_record_is_counted_by_what_it_keeps() -> None:
    request = ScriptRequest(body=b"x" * 10 * MAX_BODY)
    outcome = Outcome("ok", Response(200, [], bytes(1000)), logs=[LogLine("info", "x" * 500, "y" * 500, 0.0)])

    def size(rule: RecordBodies) -> int:
        made = invocation(script("1", record_bodies=rule), request)
        return bytes_of(make_row(made, outcome, 0.0, Decisions(), REDACTION)) - ROW_BYTES

    assert MAX_BODY + 2000 <= size("all") <= MAX_BODY + 10_000
    assert 1000 <= size("errors") == size("none") <= 2500


@pytest.mark.parametrize(
    ("rule", "code", "status", "kept"),
    [
        ("none", "script_error", 502, False),
        ("none", "ok", 200, False),
        ("errors", "ok", 200, False),
        ("errors", "ok", 404, False),
        ("errors", "ok", 500, True),
        ("errors", "timeout", None, True),
        ("all", "ok", 200, True),
        ("all", "timeout", None, True),
    ],
)
def test_bodies_are_kept_as_the_rule_says(
    rule: RecordBodies, code: str, status: int | None, kept: bool
) -> None:
    response = None if status is None or code != "ok" else Response(status, [], b"theirs")
    error = None if code == "ok" else ScriptError("no")
    made = invocation(script("1", record_bodies=rule), ScriptRequest(body=b"ours"))
    row = json_of(make_row(made, Outcome(code, response, error), 0.0, Decisions(), REDACTION))
    assert row[REQUEST]["body"] == ("ours" if kept else None)
    assert row[REQUEST]["body_size"] == 4
    if response is not None:
        assert row[RESPONSE]["body"] == ("theirs" if kept else None)


@pytest.mark.parametrize("omitted", ["private", "rate"])
def test_a_record_of_figures_has_nothing_that_was_said(omitted: Omitted) -> None:
    said = "s3cr3t"
    request = ScriptRequest("POST", "/p", {"x": said}, {said: said}, body=said.encode())
    outcome = Outcome(
        "ok", Response(200, [("x", said)], said.encode()), logs=[LogLine("info", said, f'"{said}"', 0.0)]
    )
    decisions = Decisions()
    decisions.begin().host = said
    row = make_row(invocation(script("1"), request), outcome, 0.0, decisions, REDACTION, omitted)
    assert said not in repr(json_of(row))
    assert (row[LOGS_DROPPED], row[OUTBOUND_DROPPED], row[-1]) == (1, 1, omitted)
    failed = Outcome("script_error", None, ScriptError(said))
    row = make_row(invocation(script("1"), request), failed, 0.0, decisions, REDACTION, omitted)
    assert (said in repr(json_of(row))) == (omitted == "rate")


REQUEST, RESPONSE, LOGS_DROPPED, OUTBOUND_DROPPED = 6, 9, 19, 23


def json_of(row: Row) -> list[Any]:
    """A row with its JSON read."""
    return [
        orjson.loads(orjson.dumps(value)) if isinstance(value, orjson.Fragment) else value for value in row
    ]


def test_a_parameter_of_the_path_that_is_a_secret_is_not_kept() -> None:
    request = ScriptRequest(path="/reset/abc/of/ada", params={"token": "abc", "user": "ada"})
    outcome = Outcome("ok", Response(200, [], b""))
    row = json_of(make_row(invocation(script("1"), request), outcome, 0.0, Decisions(), REDACTION))
    assert row[REQUEST]["path"] == "/reset/[redacted]/of/ada"


@pytest.mark.parametrize("shift", range(0, 70, 7))
def test_a_token_at_the_cut_of_a_body_is_not_kept(shift: int) -> None:
    body = b"x" * (MAX_BODY - shift) + new_key().encode() + b" more"
    assert "pic_" not in str(body_summary(body, None, REDACTION)["body"])
