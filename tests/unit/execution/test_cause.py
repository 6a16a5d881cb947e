"""Causes: what the guest is told of an event and of a call, and what host functions get."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import ormsgpack
import pytest

from picloud.execution.cause import CallCause, Cause, EventCause, HttpCause, ScriptRequest, rfc3339
from picloud.execution.invocation import Invocation
from picloud.services.call_context import NO_INPUT, Input
from tests.workbench import script

EVENT = EventCause(
    UUID(int=3),
    "kv",
    "update",
    2,
    datetime(2026, 1, 31, 8, 0, 0, 5000, UTC),
    {"collection": "c", "key": "k", "value": b"\x00", "old_value": None},
    trigger_id=UUID(int=4),
)
EMPTY = {"method": "", "headers": {}, "query": {}, "params": {}, "rest": ""}


def packed(cause: Cause) -> dict[str, object]:
    unpacked = ormsgpack.unpackb(Invocation(UUID(int=5), script("1"), cause).pack("0.1"))
    assert isinstance(unpacked, dict)
    assert (unpacked["body"], unpacked["content_type"]) == (None, None)
    context = unpacked["ctx"]
    assert isinstance(context, dict)
    return context


def test_a_script_sees_the_event_and_an_empty_request() -> None:
    context = packed(EVENT)
    assert context["invocation_type"] == "event"
    assert context["request_id"] == ""
    assert context["request"] == {"path": "/trigger/kv", **EMPTY}
    assert context["event"] == {
        "source": "kv",
        "op": "update",
        "id": str(UUID(int=3)),
        "attempt": 2,
        "occurred_at": "2026-01-31T08:00:00.005Z",
        "kv": {"collection": "c", "key": "k", "value": b"\x00", "old_value": None},
    }
    assert "args" not in context


def test_a_called_script_sees_its_arguments_and_an_empty_request() -> None:
    context = packed(CallCause([1, {"a": b"\xff"}, None]))
    assert context["invocation_type"] == "function"
    assert context["args"] == [1, {"a": b"\xff"}, None]
    assert context["request"] == {"path": "", **EMPTY}
    assert "event" not in context


def test_neither_the_trigger_nor_the_place_in_the_chain_cross_into_the_guest() -> None:
    made = Invocation(
        UUID(int=5), script("1"), EVENT, root=UUID(int=0xAAAA), parent=UUID(int=0xBBBB), depth=77
    )
    data = made.pack("0.1")
    for hidden in (UUID(int=4), UUID(int=0xAAAA), UUID(int=0xBBBB)):
        assert str(hidden).encode() not in data
        assert hidden.bytes not in data
    assert b"depth" not in data


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (HttpCause("route", "r", ScriptRequest(body=b"x", content_type="a/b")), Input(b"x", "a/b")),
        (HttpCause("route", "r", ScriptRequest(content_type="a/b")), Input(b"", "a/b")),
        (HttpCause("route", "r", ScriptRequest()), NO_INPUT),
        (EVENT, NO_INPUT),
        (CallCause(1), NO_INPUT),
    ],
)
def test_the_bytes_an_execution_starts_with_are_those_of_its_request(cause: Cause, expected: Input) -> None:
    assert cause.input == expected


def test_each_cause_takes_permits_of_its_class() -> None:
    assert HttpCause("route", "r", ScriptRequest()).permit == "http"
    assert HttpCause("route", "r", ScriptRequest(), permit="event").permit == "event"
    assert EVENT.permit == "event"
    assert CallCause(()).permit is None


def test_an_execution_that_nothing_caused_is_the_root_of_its_chain() -> None:
    made = Invocation(UUID(int=5), script("1"), EVENT)
    assert (made.root_execution_id, made.parent, made.depth) == (UUID(int=5), None, 0)
    caused = Invocation(UUID(int=6), script("1"), EVENT, root=UUID(int=1), parent=UUID(int=5), depth=2)
    assert caused.root_execution_id == UUID(int=1)


def test_times_are_written_as_scripts_write_them() -> None:
    assert rfc3339(datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))) == "2025-12-31T23:00:00.000Z"
