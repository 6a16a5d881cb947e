"""What a guest sent is unpacked only where it cannot make much of itself."""

from __future__ import annotations

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.core.msgpack import MAX_VALUES, decode_bounded

FILL = bytes(70_000)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
MESSAGES = st.recursive(
    SCALARS | TEXT | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
PAIRS = b"".join(b"\xa1%c\x01" % letter for letter in b"abcdefghijklmno")

FILL = bytes(70_000)


@given(MESSAGES)
def test_a_large_message_of_few_values_is_unpacked(message: object) -> None:
    whole = [message, FILL]
    assert decode_bounded(ormsgpack.packb(whole)) == whole


@given(st.binary(max_size=60))
def test_any_large_bytes_are_a_message_or_an_error(start: bytes) -> None:
    try:
        decode_bounded(start + FILL)
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
def test_a_large_message_of_many_values_is_refused(message: object) -> None:
    with pytest.raises(ValueError, match="values"):
        decode_bounded(ormsgpack.packb(message))


@pytest.mark.parametrize(
    "head", [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdc\xff\xff", b"\xde\xff\xff"]
)
def test_a_count_that_is_claimed_is_not_believed(head: bytes) -> None:
    with pytest.raises(ValueError, match="values"):
        decode_bounded(head + b"\x80" * 100_000)


def test_small_maps_are_counted_with_what_is_in_them() -> None:
    # 4095 maps are no more values than may be; only their content makes too many.
    message = b"\xdc\x0f\xff" + 4095 * (b"\x8f" + PAIRS)
    assert len(ormsgpack.unpackb(message)) == 4095 < MAX_VALUES
    with pytest.raises(ValueError, match="values"):
        decode_bounded(message)
