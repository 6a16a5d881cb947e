"""Parses server-sent events by the standard, in any chunks, with limited memory."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from picloud.cli.remote.event_stream import EventReader, EventTooLong, ServerEvent

ANY = 10**6


def read(sent: bytes, *cuts: int) -> list[ServerEvent]:
    reader, events, start = EventReader(ANY), [], 0
    for cut in (*sorted(cuts), len(sent)):
        events += reader.feed(sent[start:cut])
        start = cut
    return events


def said(data: str | None, event_id: str = "", kind: str = "message") -> ServerEvent:
    return ServerEvent(event_id, kind, data)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        # The examples of the standard.
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [said("YHOO\n+2\n10")]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
            [said("first event", "1"), said("second event"), said(" third event")],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [said(""), said("\n")]),
        (b"data:test\n\ndata: test\n\n", [said("test"), said("test")]),
        # What is not complete is not an event.
        (b"data: never ended\n", []),
        (b"data: one\n\ndata: two\n", [said("one")]),
        # Line ends, a byte order mark, types, unknown fields, broken text.
        (b"\xef\xbb\xbfevent: a\rdata: 1\r\rdata: 2\r\n\r\n", [said("1", kind="a"), said("2")]),
        (b"other: x\nData: y\ndata: 1\n\n", [said("1")]),
        (b"data: \xff\n\n", [said("\ufffd")]),
        # An id goes on, moves alone, and never has a NUL.
        (b"id: 1\n\nid: 1\n\ndata: x\n\n", [said(None, "1"), said("x", "1")]),
        (b"id: 1\ndata: x\n\nid: 2\0\ndata: y\n\n", [said("x", "1"), said("y", "1")]),
        (b"event: quiet\n\n:\n\nretry: 1\n\n", []),
    ],
)
def test_a_stream_is_read_as_the_standard_says(sent: bytes, expected: list[ServerEvent]) -> None:
    assert read(sent) == expected
    assert read(sent, *range(len(sent))) == expected


@example(b"data:a\r\ndata:b\r\n\r\n", [7])
@example(b"\rdata\r\n", [6, 6])
@given(
    st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"data", b": ", b"id", b"x", b"\0", b"event"])).map(
        b"".join
    ),
    st.lists(st.integers(0, 60)),
)
def test_it_does_not_matter_where_a_stream_is_cut(sent: bytes, cuts: list[int]) -> None:
    assert read(sent, *(min(cut, len(sent)) for cut in cuts)) == read(sent)


def test_the_server_says_how_long_to_wait() -> None:
    reader = EventReader(ANY)
    for sent, expected in (
        (b"", None),
        (b"retry: 250\n", 250),
        (b"retry: -1\n", 250),
        (b"retry: 1e3\n", 250),
        (b"retry: 9999999999\n", 250),
        (b"retry: 0\n", 0),
    ):
        assert list(reader.feed(sent)) == []
        assert reader.retry == expected


@pytest.mark.parametrize("piece", [b"x" * 10, b"data: x\n", b"data:\n", b": comment\n", b"id: 1\nid: 2\n"])
def test_an_event_without_end_ends_the_reading(piece: bytes) -> None:
    reader = EventReader(100)

    def read_on() -> None:
        for _ in range(100):
            assert [event for event in reader.feed(piece) if event.data is not None] == []

    with pytest.raises(EventTooLong):
        read_on()


def test_an_event_of_the_largest_size_is_read() -> None:
    reader = EventReader(100)
    for _ in range(3):
        (event,) = reader.feed(b"data:" + 95 * b"x" + b"\n\n")
        assert event.data == 95 * "x"
