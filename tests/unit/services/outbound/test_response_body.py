"""Bodies of responses: exact in every encoding and chunking, within a limit of memory."""

from __future__ import annotations

import asyncio
import gzip
import random
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.services.outbound.errors import Failed
from picloud.services.outbound.response_body import (
    MAX_RESPONSE_BYTES,
    MAX_WIRE_BYTES,
    PIECE,
    Decompressor,
    max_wire_bytes,
    read_body,
)


async def chunked(data: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACK = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress}


async def body(data: bytes, encoding: str = "", size: int = 65536) -> bytes:
    return await read_body(chunked(data, size), encoding, lambda _wire, _made: None)


@given(st.binary(max_size=3000), st.integers(1, 100), st.sampled_from(list(PACK)), st.booleans())
async def test_a_body_is_decompressed_exactly(data: bytes, size: int, encoding: str, raw: bool) -> None:
    packed = raw_deflate(data) if raw and encoding == "deflate" else PACK[encoding](data)
    assert await body(packed, encoding, size) == data
    assert await body(data, "", size) == data
    assert await body(data, "br", size) == data


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=5), st.integers(1, 30))
async def test_gzip_of_several_members_is_one_body(parts: list[bytes], size: int) -> None:
    assert await body(b"".join(map(gzip.compress, parts)), "gzip", size) == b"".join(parts)


@given(st.binary(min_size=1, max_size=50).filter(lambda data: data[:1] != b"\x1f"), st.integers(1, 30))
async def test_bytes_after_a_compressed_body_are_ignored(junk: bytes, size: int) -> None:
    assert await body(gzip.compress(b"x") + junk, "gzip", size) == b"x"
    assert await body(zlib.compress(b"x") + junk, "deflate", size) == b"x"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_an_empty_body_is_empty_in_any_encoding(encoding: str) -> None:
    assert await body(b"", encoding) == b""


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("cut", [1, 5, 20, -1])
async def test_a_truncated_body_is_an_error(encoding: str, cut: int) -> None:
    with pytest.raises(Failed, match="truncated"):
        await body(PACK[encoding](b"some words, some more words")[:cut], encoding)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@given(junk=st.binary(min_size=30, max_size=60))
async def test_a_corrupt_body_is_an_error(encoding: str, junk: bytes) -> None:
    packed = bytearray(PACK[encoding](b"some words " * 20))
    packed[-4:] = b"\0\0\0\0"
    with pytest.raises(Failed, match="corrupt"):
        await body(bytes(packed), encoding)
    with suppress(Failed):  # and no other error
        assert len(await body(junk, encoding)) <= MAX_RESPONSE_BYTES


@pytest.mark.parametrize("encoding", ["gzip", "deflate", ""])
async def test_a_body_has_at_most_ten_mib(encoding: str) -> None:
    pack = PACK.get(encoding, bytes)
    assert len(await body(pack(bytes(MAX_RESPONSE_BYTES)), encoding)) == MAX_RESPONSE_BYTES
    with pytest.raises(Failed, match="10485760"):
        await body(pack(bytes(MAX_RESPONSE_BYTES + 1)), encoding)


def bomb(mib: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(mib)) + packer.flush()


async def test_a_bomb_uses_no_more_memory_than_the_largest_body() -> None:
    packed = bomb(200)
    tracemalloc.start()
    try:
        with pytest.raises(Failed, match="more than"):
            await body(packed, "gzip", len(packed))
        assert tracemalloc.get_traced_memory()[1] < 3 * MAX_RESPONSE_BYTES
    finally:
        tracemalloc.stop()


async def test_a_bomb_in_a_bomb_is_decompressed_once() -> None:
    inner = bomb(200)
    assert await body(gzip.compress(inner), "gzip") == inner
    assert await body(inner, "gzip, gzip") == inner


async def test_decompressed_pieces_are_limited() -> None:
    decompressor = Decompressor("gzip")
    assert max(len(piece) for piece in decompressor.pieces(bomb(1))) == PIECE


async def test_endless_empty_members_are_rejected() -> None:
    with pytest.raises(Failed, match="parts"):
        await body(gzip.compress(b"") * 2000, "gzip")


EMPTY_BLOCK = b"\0\0\0\xff\xff"
GZIP_HEAD = gzip.compress(b"")[:10]
ENDLESS = {
    "empty blocks of gzip": ("gzip", GZIP_HEAD, EMPTY_BLOCK),
    "empty blocks of x-gzip": ("x-gzip", GZIP_HEAD, EMPTY_BLOCK),
    "empty blocks of deflate": ("deflate", zlib.compress(b"")[:2], EMPTY_BLOCK),
    "empty blocks of raw deflate": ("deflate", b"", EMPTY_BLOCK),
    "empty blocks after a body": ("gzip", gzip.compress(b"x") + GZIP_HEAD, EMPTY_BLOCK),
    "the name of a gzip file": ("gzip", b"\x1f\x8b\x08\x08" + bytes(6), b"a"),
    "bytes after gzip": ("gzip", gzip.compress(b"x"), b"a"),
    "bytes after deflate": ("deflate", zlib.compress(b"x"), b"a"),
    "an unknown encoding": ("br", b"", b"a"),
    "two encodings": ("gzip, gzip", GZIP_HEAD, EMPTY_BLOCK),
    "no encoding": ("", b"", b"a"),
}


@pytest.mark.parametrize(("encoding", "head", "block"), ENDLESS.values(), ids=list(ENDLESS))
async def test_the_bytes_on_the_wire_are_limited(encoding: str, head: bytes, block: bytes) -> None:
    piece, received = block * (65536 // len(block)), 0

    async def chunks() -> AsyncIterator[bytes]:
        yield head
        while received < 2 * MAX_WIRE_BYTES:
            yield piece

    def count(wire: int, _made: int) -> None:
        nonlocal received
        received += wire

    with pytest.raises(Failed, match="more than") as failed:
        await read_body(chunks(), encoding, count)
    assert failed.value.kind == "too large"
    assert received <= MAX_WIRE_BYTES + len(piece)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", ""])
async def test_a_body_that_does_not_compress_can_be_as_large_as_any(encoding: str) -> None:
    noise = random.Random(1).randbytes(MAX_RESPONSE_BYTES)
    packed = PACK.get(encoding, bytes)(noise)
    assert len(packed) <= max_wire_bytes(encoding)
    assert await body(packed, encoding) == noise


async def test_bytes_that_yield_nothing_let_other_tasks_run() -> None:
    turns, done = 0, False

    async def other() -> None:
        nonlocal turns
        while not done:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    data = zlib.compress(b"")[:2] + EMPTY_BLOCK * 400_000 + zlib.compress(b"")[2:]
    assert await body(data, "deflate") == b""
    done = True
    await task
    assert turns >= len(data) // (256 * 1024)


async def test_bytes_are_counted_on_the_wire_and_in_the_body() -> None:
    counts: list[tuple[int, int]] = []
    packed = gzip.compress(bytes(1000))
    await read_body(chunked(packed, 10), "gzip", lambda wire, made: counts.append((wire, made)))
    assert tuple(map(sum, zip(*counts, strict=True))) == (len(packed), 1000)
