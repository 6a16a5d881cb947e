"""Values between guest and host: allowed ones arrive exactly, all others are a violation."""

from __future__ import annotations

from pathlib import Path

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.core.interface import INTERFACE_FILE, Interface, InterfaceMismatch, InterfaceViolation, Signature
from picloud.sandbox import abi
from tests.workbench import idle_functions

INTERFACE = Interface.load()
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
BY_TYPE = {
    str: TEXT,
    bytes: st.binary(),
    int: st.integers(-(2**63), 2**64 - 1),
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    list: st.lists(TEXT, max_size=4),
    dict: st.dictionaries(TEXT, TEXT, max_size=4),
}
BY_NAME = {signature.name: signature for signature in INTERFACE.hosts}
signatures = st.sampled_from(INTERFACE.hosts)
json_like = st.recursive(
    st.none() | st.booleans() | BY_TYPE[int] | BY_TYPE[float] | BY_TYPE[str] | BY_TYPE[bytes],
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(BY_TYPE[str], inner, max_size=4),
    max_leaves=12,
)


@given(signatures, st.binary(max_size=200))
def test_any_bytes_are_parameters_or_a_violation(signature: Signature, payload: bytes) -> None:
    try:
        params = signature.decode(payload)
    except InterfaceViolation:
        return
    assert len(params) == len(signature.params)


@given(signatures, json_like)
def test_any_message_is_parameters_or_a_violation(signature: Signature, message: object) -> None:
    try:
        params = signature.decode(ormsgpack.packb(message))
    except InterfaceViolation:
        return
    for param, (_, types, optional) in zip(params, signature.params, strict=True):
        assert type(param) in types or (optional and param is None)


@given(st.data())
def test_parameters_arrive_as_they_were_sent(data: st.DataObject) -> None:
    signature = data.draw(signatures)
    params = [
        data.draw(BY_TYPE[types[0]] | st.none() if optional else BY_TYPE[types[0]])
        for _, types, optional in signature.params
    ]
    assert signature.decode(ormsgpack.packb(params)) == tuple(params)


def test_true_is_not_an_integer_and_an_integer_is_not_a_bool() -> None:
    increment = BY_NAME["kv_increment"]
    with pytest.raises(InterfaceViolation):
        increment.decode(ormsgpack.packb(["c", "k", True]))
    with pytest.raises(InterfaceViolation):
        increment.decode(ormsgpack.packb(["c", "k", 1.0]))


@given(signatures, st.lists(json_like, max_size=5))
def test_the_decoder_accepts_the_types_that_the_interface_lists(
    signature: Signature, message: list[object]
) -> None:
    allowed = len(message) == len(signature.params) and all(
        type(value) in types or (optional and value is None)
        for value, (_, types, optional) in zip(message, signature.params, strict=True)
    )
    try:
        params = signature.decode(ormsgpack.packb(message))
    except InterfaceViolation:
        assert not allowed
    else:
        assert allowed
        assert ormsgpack.packb(params) == ormsgpack.packb(message)


@pytest.mark.parametrize(
    ("name", "message", "explanation"),
    [
        ("kv_set", ["c", "k", "v", None], "kv_set: value: Expected `bytes`, got `str` - at `$[2]`"),
        (
            "kv_set",
            ["c", "k", b"v", "1"],
            "kv_set: ttl_seconds: Expected `int | null`, got `str` - at `$[3]`",
        ),
        ("kv_get", [b"c", "k"], "kv_get: collection: Expected `str`, got `bytes` - at `$[0]`"),
        ("kv_get", ["c"], "kv_get: Expected `array` of length 2, got 1"),
        ("kv_get", {"c": "k"}, "kv_get: Expected `array`, got `object`"),
    ],
)
def test_a_violation_names_the_function_and_the_parameter(
    name: str, message: object, explanation: str
) -> None:
    with pytest.raises(InterfaceViolation) as caught:
        BY_NAME[name].decode(ormsgpack.packb(message))
    assert str(caught.value) == explanation


@given(signatures, st.data(), st.binary(min_size=1, max_size=20))
def test_bytes_behind_the_parameters_are_a_violation(
    signature: Signature, data: st.DataObject, rest: bytes
) -> None:
    params = [data.draw(BY_TYPE[types[0]]) for _, types, _ in signature.params]
    with pytest.raises(InterfaceViolation):
        signature.decode(ormsgpack.packb(params) + rest)


@pytest.mark.parametrize(
    "value",
    [
        b"\x81\x01\x02",  # a key that is an integer
        b"\x81\xa1a\x81\x01\x02",  # the same, deeper
        b"\x81\xa1a\x91\x81\x91\x01\x02",  # a key that is an array
        b"\x81\xa1a\x81\x80\x02",  # a key that is a map
        b"\x81\xa1a\xd6\xff\0\0\0\0",  # a time
        b"\x81\xa1a\xd4\x05\0",  # an extension
        b"\x81\xa1a" + b"\x91" * 1_000 + b"\x01",
        b"\x81\xa1a" + b"\x91" * 5_000 + b"\x01",
        b"\x81\xa1a" + b"\x91" * 100_000 + b"\x01",
        b"\x81\xa1a" * 5_000 + b"\x01",
    ],
    ids=lambda value: value[:8].hex(),
)
def test_a_map_holds_what_scripts_can_send(value: bytes) -> None:
    with pytest.raises(InterfaceViolation):
        BY_NAME["docs_find"].decode(b"\x92\xa1c" + value)


@pytest.mark.parametrize("change", ["missing", "extra"])
def test_services_must_offer_exactly_what_is_listed(change: str) -> None:
    functions = idle_functions()
    INTERFACE.check_table(functions)
    if change == "missing":
        del functions["kv_get"]
    else:
        functions["kv_got"] = functions["kv_get"]
    with pytest.raises(InterfaceMismatch, match="kv_g"):
        INTERFACE.check_table(functions)


def test_an_interface_of_another_abi_is_rejected(tmp_path: Path) -> None:
    file = tmp_path / "interface.toml"
    file.write_text(INTERFACE_FILE.read_text().replace("abi = 1", "abi = 2"))
    with pytest.raises(InterfaceMismatch, match="ABI 2"):
        Interface.load(file)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_pointer_and_length_share_a_word(pointer: int, length: int) -> None:
    assert abi.unpack_address(pointer << 32 | length) == (pointer, length)
