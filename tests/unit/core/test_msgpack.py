"""Encoding and decoding of MessagePack. Another library, ormsgpack, writes and reads the other side here."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.core.msgpack import (
    MAX_DEPTH,
    MAX_VALUES,
    BoundedDecoder,
    decode_integer,
    decode_single,
    encode,
    encode_sorted,
)

FILL = bytes(70_000)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\ud7ff\ue000\U0010ffff"))
MESSAGES = st.recursive(
    SCALARS | TEXT | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
PAIRS = b"".join(b"\xa1%c\x01" % letter for letter in b"abcdefghijklmno")
ANYTHING = BoundedDecoder[Any](Any, any_depth=True)
# Bytes that often are nearly MessagePack: heads of values, and short strings.
NEARLY = st.lists(
    st.sampled_from([bytes([head]) for head in range(0x80, 0x100)] + [b"\xa1a", b"\x01", b"\0\0\0\x01"])
    | MESSAGES.map(ormsgpack.packb),
    max_size=8,
).map(b"".join)


@given(MESSAGES)
def test_two_libraries_write_the_same_bytes(message: object) -> None:
    assert encode(message) == ormsgpack.packb(message)
    assert encode_sorted(message) == ormsgpack.packb(message, option=ormsgpack.OPT_SORT_KEYS)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, -0.0])
def test_two_libraries_write_the_same_floats(number: float) -> None:
    assert encode(number) == ormsgpack.packb(number)


@given(NEARLY | st.binary(max_size=60))
def test_two_libraries_read_the_same_values_and_reject_the_same_bytes(data: bytes) -> None:
    try:
        # ormsgpack stops after the first value: an array of two shows whether there is more than one.
        expected, end = ormsgpack.unpackb(b"\x92" + data + b"\xaeend of message")
        if end != "end of message":
            raise ValueError
        ormsgpack.unpackb(data)
    except ValueError:
        with pytest.raises(ValueError, match=r".+"):
            decode_single(data)
    else:
        assert ormsgpack.packb(decode_single(data)) == ormsgpack.packb(expected)


@given(MESSAGES | NEARLY)
def test_only_an_integer_is_one(message: object) -> None:
    data = message if isinstance(message, bytes) else ormsgpack.packb(message)
    try:
        expected = decode_single(data)
    except ValueError:
        expected = None
    if type(expected) is int:
        assert decode_integer(data) == expected
    else:
        with pytest.raises(ValueError, match=r".+"):
            decode_integer(data)


@given(MESSAGES)
def test_a_large_message_of_few_values_is_decoded(message: object) -> None:
    whole = [message, FILL]
    assert ANYTHING.decode(ormsgpack.packb(whole)) == whole


@given(st.binary(max_size=60))
def test_any_large_bytes_are_a_message_or_an_error(start: bytes) -> None:
    try:
        ANYTHING.decode(start + FILL)
    except ValueError:
        return


@pytest.mark.parametrize(
    "message",
    [
        [{} for _ in range(70_000)],
        [[[0] * 70_000]],
        {str(number): None for number in range(20_000)},
        [b"x" * 70_000, *range(MAX_VALUES)],
    ],
)
def test_a_large_message_of_many_values_is_rejected(message: object) -> None:
    with pytest.raises(ValueError, match="values"):
        ANYTHING.decode(ormsgpack.packb(message))


@pytest.mark.parametrize(
    "head", [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdc\xff\xff", b"\xde\xff\xff"]
)
def test_a_count_that_is_claimed_is_not_trusted(head: bytes) -> None:
    with pytest.raises(ValueError, match="values"):
        ANYTHING.decode(head + b"\x80" * 100_000)


def test_small_maps_are_counted_with_their_entries() -> None:
    # 4095 maps are within the limit; only their entries exceed it.
    message = b"\xdc\x0f\xff" + 4095 * (b"\x8f" + PAIRS)
    assert len(ormsgpack.unpackb(message)) == 4095 < MAX_VALUES
    with pytest.raises(ValueError, match="values"):
        ANYTHING.decode(message)


@pytest.mark.parametrize("level", [b"\x91", b"\x81\xa1a", b"\xdc\0\x01", b"\xdf\0\0\0\x01\xa1a"])
@pytest.mark.parametrize("rest", [b"", FILL], ids=["short", "long"])
def test_a_message_nests_as_deep_as_scripts_can_and_no_deeper_than_the_limit(
    level: bytes, rest: bytes
) -> None:
    end = b"\xc6" + len(rest).to_bytes(4) + rest
    value = ANYTHING.decode(level * 150 + end)
    for _ in range(150):
        (value,) = value if isinstance(value, list) else value.values()
    assert value == rest
    with pytest.raises(ValueError, match=rf"deeper than {MAX_DEPTH} levels"):
        ANYTHING.decode(level * (MAX_DEPTH + 1) + end)


def test_text_and_blobs_are_not_taken_for_levels() -> None:
    message = ["é" * 1000, b"\x91" * 1000, [["ü" * 500]], 500 * [[]]]
    assert ANYTHING.decode(ormsgpack.packb(message)) == message


def test_a_type_is_checked_while_decoding() -> None:
    decoder = BoundedDecoder[tuple[str, int]](tuple[str, int])
    assert decoder.decode(b"\x92\xa1a\x01") == ("a", 1)
    with pytest.raises(msgspec.ValidationError, match=r"\$\[1\]"):
        decoder.decode(b"\x92\xa1a\xa1b")
    with pytest.raises(ValueError, match="trailing"):
        decoder.decode(b"\x92\xa1a\x01\x01")
