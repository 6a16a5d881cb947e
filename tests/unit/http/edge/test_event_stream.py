"""Server-sent events as they are written: whatever is in one, a client reads the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from picloud.cli.remote.event_stream import EventReader, ServerEvent
from picloud.http.edge.event_stream import HEARTBEAT, StreamEvent, write_event, write_retry

ONE_LINE = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), min_size=1)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
).filter(lambda value: value is not None)


def read(sent: bytes) -> list[ServerEvent]:
    return list(EventReader(10**6).feed(sent))


@example("a\r\nb\rc\nd\0e\u2028\u2029\x85\ufeff\ud800", "\ufeff: 1", "data")
@given(JSON, ONE_LINE, ONE_LINE | st.just(""))
def test_any_data_is_read_as_it_was_written(data: Any, event_id: str, kind: str) -> None:
    sent = write_event(StreamEvent(event_id, data, kind))
    (event,) = read(sent)
    assert (event.id, event.type) == (event_id, kind or "message")
    assert event.data is not None
    assert json.loads(event.data) == data
    assert sent.count(b"\n\n") == 1


@given(st.lists(st.text() | st.lists(st.text()), max_size=5))
def test_events_do_not_run_into_each_other(all_data: list[Any]) -> None:
    sent = b"".join(
        HEARTBEAT + write_retry(10) + write_event(StreamEvent(str(number), data))
        for number, data in enumerate(all_data)
    )
    assert [(event.id, json.loads(event.data or "")) for event in read(sent)] == [
        (str(number), data) for number, data in enumerate(all_data)
    ]


def test_an_event_without_data_moves_the_id_and_is_not_dispatched() -> None:
    assert write_event(StreamEvent("7", None)) == b"id: 7\n\n"


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\0b", "\n"])
def test_an_id_or_a_type_of_more_than_one_line_is_an_error_here(text: str) -> None:
    for event in (StreamEvent(text, 1), StreamEvent("1", 1, text)):
        with pytest.raises(ValueError, match="one line"):
            write_event(event)
