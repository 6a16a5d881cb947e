"""Promises of chunked bodies: they end where they end, and framing is bounded, however bytes arrive."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.core.errors import BadRequest, BodyTooLarge
from picloud.http.edge.chunked import MAX_FRAMING, ChunkedBody

BEHIND = b"GET / HTTP/1.1\r\n"


def follow(data: bytes, sizes: list[int]) -> tuple[ChunkedBody, int]:
    """Follow data that arrives in pieces; returns the bytes that belong to the body."""
    body, taken, at = ChunkedBody(), 0, 0
    for size in [*sizes, len(data)]:
        piece, at = data[at : at + size], at + size
        start = 0
        while start < len(piece) and not body.complete:
            start = body.advance(piece, start, len(piece))
        taken += start
    return body, taken


chunks = st.lists(st.binary(min_size=1, max_size=40), max_size=20)
pieces = st.lists(st.integers(1, 30), max_size=60)


@given(chunks, st.sampled_from([b"", b";a=b", b";" + b"x" * 50]), st.integers(0, 3), pieces)
def test_it_ends_where_it_ends(data: list[bytes], extension: bytes, trailers: int, sizes: list[int]) -> None:
    sent = b"".join(b"%x%s\r\n%s\r\n" % (len(one), extension, one) for one in data)
    sent += b"0" + extension + b"\r\n" + b"X: y\r\n" * trailers + b"\r\n"
    body, taken = follow(sent + BEHIND, sizes)
    assert body.complete
    assert taken == len(sent)


@given(st.binary(max_size=200), pieces)
def test_any_bytes_are_followed_or_an_error_of_the_client(data: bytes, sizes: list[int]) -> None:
    with contextlib.suppress(BadRequest, BodyTooLarge):
        assert follow(data, sizes)[1] <= len(data)


@pytest.mark.parametrize("each", [b"1\r\na\r\n", b"8\r\n12345678\r\n", b"1;" + b"x" * 900 + b"\r\na\r\n"])
def test_framing_is_bounded_whatever_it_is_made_of(each: bytes) -> None:
    sent = each * (4 * MAX_FRAMING // len(each))
    with pytest.raises(BodyTooLarge):
        follow(sent, [])


def test_trailers_are_framing() -> None:
    with pytest.raises(BodyTooLarge):
        follow(b"0\r\n" + (b"X: " + b"y" * 1000 + b"\r\n") * (MAX_FRAMING // 1000), [])


def test_an_ordinary_upload_in_small_chunks_is_one() -> None:
    body, piece = ChunkedBody(), b"32\r\n" + b"x" * 50 + b"\r\n"
    for _ in range(10 * 1024 * 1024 // 50):
        assert body.advance(piece, 0, len(piece)) == len(piece)
