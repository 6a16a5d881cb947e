"""Received bytes are parsed in slices, and other tasks run between them."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from picloud.services.outbound.framing import Framing
from tests.workbench import until

HEAD = b"HTTP/1.1 200 OK\r\n"


class Line(asyncio.Transport):
    """A transport that only knows whether it is read from."""

    def __init__(self) -> None:
        super().__init__()
        self.paused = self.aborted = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def abort(self) -> None:
        self.aborted = True


def connection() -> tuple[Framing, Line]:
    protocol, line = Framing(asyncio.get_running_loop()), Line()
    protocol.connection_made(line)
    protocol.set_response_params(read_until_eof=True, auto_decompress=False)
    return protocol, line


async def body(protocol: Framing) -> bytes:
    _, payload = await protocol.read()
    return await payload.read()


def chunked(pieces: list[bytes]) -> bytes:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


@given(
    st.lists(st.tuples(st.integers(1, 60_000), st.binary(min_size=1, max_size=1)), min_size=1, max_size=6),
    st.lists(st.integers(1, 100_000), max_size=6),
    st.booleans(),
)
async def test_a_body_is_the_same_in_any_chunks(
    parts: list[tuple[int, bytes]], cuts: list[int], is_cut_off: bool
) -> None:
    pieces = [byte * length for length, byte in parts]
    whole = b"".join(pieces)
    sent = HEAD + b"\r\n" + whole if is_cut_off else chunked(pieces)
    protocol, _ = connection()
    reading = asyncio.ensure_future(body(protocol))
    for cut in cuts:
        protocol.data_received(sent[:cut])
        sent = sent[cut:]
        await asyncio.sleep(0)
    if sent:
        protocol.data_received(sent)
    if is_cut_off:  # the end of the connection is the end of the body, with some of it ahead
        protocol.connection_lost(None)
    assert await reading == whole


async def test_bytes_received_at_once_are_parsed_in_slices() -> None:
    protocol, line = connection()
    reading = asyncio.ensure_future(body(protocol))
    turns = 0
    protocol.data_received(chunked([bytes(1000)] * 1000))
    assert line.paused
    while not reading.done():
        turns += 1
        await asyncio.sleep(0)
    assert len(reading.result()) == 1_000_000
    assert turns >= 1_000_000 // (16 * 1024)
    assert not line.paused


async def test_a_connection_with_unread_bytes_is_not_reused() -> None:
    """Else the rest of one answer would be taken for the beginning of the next."""
    protocol, line = connection()
    head = HEAD + b"Content-Length: 10000\r\n"
    first = head + b"x: " + b"y" * (16 * 1024 - len(head) - 7 - 10_000) + b"\r\n\r\n" + bytes(10_000)
    assert len(first) == 16 * 1024  # the rest is not even looked at
    protocol.data_received(first + HEAD + b"Content-Length: 0\r\n\r\n")
    assert len(await body(protocol)) == 10_000
    assert protocol.should_close
    assert line.paused
    protocol, line = connection()
    protocol.data_received(first)
    assert len(await body(protocol)) == 10_000
    assert not protocol.should_close
    assert not line.paused


async def test_reading_pauses_when_the_body_is_not_read() -> None:
    protocol, line = connection()
    protocol.data_received(chunked([bytes(3000)] * 400))
    _, payload = await protocol.read()
    await until(lambda: protocol._scheduled is None)  # it does not read on by itself
    assert line.paused
    assert payload.total_bytes < 600_000
    assert len(await payload.read()) == 1_200_000
    assert not line.paused
