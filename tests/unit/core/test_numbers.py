"""Integers from the wire have one strict form, whoever sends them."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import picloud
from picloud.core.numbers import NotAnInteger, OutOfRange, read_integer

OTHER_FORMS = ["", " 1", "1 ", "+1", "-1", "1_0", "1.0", "1e3", "0x1", "١", "１", "1\n", "²", "0" * 5000 + "1", "9" * 21]  # fmt: skip # noqa: E501


@pytest.mark.parametrize("text", OTHER_FORMS, ids=ascii)
def test_any_other_form_is_not_an_integer(text: str) -> None:
    with pytest.raises(NotAnInteger):
        read_integer(text)


def test_the_range_is_checked_and_told_apart_from_the_form() -> None:
    assert read_integer("0") == 0
    assert read_integer("007", 1, 7) == 7
    assert read_integer("ffffffffffffffff", 0, 1 << 64, base=16) == (1 << 64) - 1
    assert read_integer("-5", -5) == -5
    for text, minimum, maximum in (("0", 1, 9), ("10", 1, 9), ("9223372036854775808", 0, (1 << 63) - 1)):
        with pytest.raises(OutOfRange):
            read_integer(text, minimum, maximum)


@pytest.mark.parametrize("text", ["07", "00", "-0", "-07"])
def test_an_exact_integer_has_one_spelling(text: str) -> None:
    assert read_integer(text, -9) is not None
    with pytest.raises(NotAnInteger):
        read_integer(text, -9, exact=True)


@given(st.integers(-(10**18), 10**18))
def test_what_is_written_is_read(value: int) -> None:
    assert read_integer(str(value), -(10**18), exact=True) == value


@given(st.text(max_size=30))
def test_any_text_is_an_integer_or_that_error(text: str) -> None:
    for base in (10, 16):
        with contextlib.suppress(NotAnInteger):
            assert read_integer(text, base=base) == int(text, base)


CONVERTED = {  # what is no text from the wire: file, argument
    ("auth.py", "ABSOLUTE.total_seconds("),
    ("connection.py", "status[0]"),
    ("connection.py", "self.edge.rules.send_seconds * 1000"),
    ("peer.py", "address"),
}


def test_parts_that_read_from_the_wire_convert_no_text_themselves() -> None:
    root = Path(picloud.__file__).parent
    for folder in ("http", "routing"):
        for file in sorted((root / folder).rglob("*.py")):
            for line in file.read_text("utf-8").splitlines():
                found = re.search(r"(?<![.\w])int\(([^)]*)\)", line)
                if found is not None and found[1]:
                    assert (file.name, found[1]) in CONVERTED, f"{file}: use core.numbers: {line.strip()}"
