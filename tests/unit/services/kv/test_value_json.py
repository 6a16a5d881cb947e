"""Promises of services/kv/value_json.py and of the order of keys."""

from __future__ import annotations

import base64
import math

import orjson
import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.core.errors import Invalid, ServiceError
from picloud.core.msgpack import decode_single
from picloud.services.kv.admin import end_of
from picloud.services.kv.service import add
from picloud.services.kv.value_json import MAX_DEPTH, Value, show, store

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | TEXTS
    | st.binary(max_size=20)
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
)


def packed(value: object) -> bytes:
    return ormsgpack.packb(value, option=ormsgpack.OPT_SORT_KEYS)


@given(VALUES.filter(lambda value: value is not None))
def test_a_shown_value_is_stored_again_byte_for_byte(value: object) -> None:
    shown = show(packed(value))
    assert [shown.value, shown.blob, shown.packed].count(None) == 2
    orjson.dumps(shown)
    assert store(shown) == packed(value)


@given(VALUES)
def test_json_values_are_read_back_from_json(value: object) -> None:
    shown = show(packed(value))
    if shown.value is not None:
        assert packed(orjson.loads(orjson.dumps(shown.value))) == packed(value)


def test_a_blob_is_a_blob_and_what_holds_one_or_no_number_is_packed() -> None:
    assert show(packed(b"\0\xff")) == Value(blob=base64.b64encode(b"\0\xff").decode())
    for value in ({"a": [b"x"]}, [math.nan], math.inf, {"a": {"b": -math.inf}}):
        assert show(packed(value)) == Value(packed=base64.b64encode(packed(value)).decode())


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"\xc1",
        b"\x01\x02",  # one value and another
        b"\x01\xc1",
        packed("a") + packed(bytes(16)),
        b"\x92\x01",  # not all of one
        b"\xc4\x10",
        b"\x81\x01\x02",  # a key that is no text
        b"\xa1\xff",  # text that is none
        b"\x91" * 10_000 + b"\x01",
        b"\x91" * 2**20,
        b"\x81\xa1a" * 10_000 + b"\x01",
    ],
    ids=lambda stored: stored[:4].hex() or "nothing",
)
def test_invalid_messagepack_is_shown_unchanged_and_rejected(stored: bytes) -> None:
    as_it_is = Value(packed=base64.b64encode(stored).decode())
    assert show(stored) == as_it_is
    with pytest.raises(Invalid, match="MessagePack"):
        store(as_it_is)
    with pytest.raises(ServiceError, match="integer"):
        add(stored, 1)


@given(VALUES, st.binary(min_size=1, max_size=40))
def test_trailing_bytes_are_invalid(value: object, rest: bytes) -> None:
    assert packed(decode_single(packed(value))) == packed(value)
    with pytest.raises(ValueError, match=r".+"):
        decode_single(packed(value) + rest)


def test_keys_are_sorted_as_scripts_sort_them() -> None:
    assert store(Value(value={"b": 1, "ü": 2, "a": {"d": 1, "c": 2}})) == packed(
        {"a": {"c": 2, "d": 1}, "b": 1, "ü": 2}
    )


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (Value(), "value"),
        (Value(value=1, blob=""), "value"),
        (Value(blob="a"), "blob"),
        (Value(blob="a-_="), "blob"),
        (Value(packed="wQ=="), "packed"),
        (Value(packed=base64.b64encode(b"\x81\x01\x02").decode()), "packed"),
        (Value(value=2**63), "value"),
        (Value(value=[{"a": -(2**63) - 1}]), "value"),
    ],
)
def test_a_value_that_no_script_can_have_is_rejected(value: Value, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        store(value)
    assert caught.value.details["field"] == field


def test_a_value_nested_too_deeply_is_rejected_but_shown() -> None:
    value: object = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert show(store(Value(value=value))) == Value(value=value)
    with pytest.raises(Invalid, match="128 levels"):
        store(Value(value=[value]))
    assert show(packed([[value]])).packed is not None


KEYS = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("\ud7ff\ue000\U0010ffff"), max_size=4
)


@given(KEYS, KEYS, KEYS)
def test_keys_with_a_prefix_are_a_range_in_byte_order(prefix: str, rest: str, other: str) -> None:
    end = end_of(prefix).encode()
    assert prefix.encode() <= (prefix + rest).encode() < end
    if not other.startswith(prefix):
        assert not prefix.encode() <= other.encode() < end
