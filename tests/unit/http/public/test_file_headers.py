"""Headers about files: names that cannot break out of them, conditions, ranges."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.http.public.file_headers import attachment, is_known, matches, parse_range

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=255)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a.txt", 'attachment; filename="a.txt"'),
        ("a b;c.txt", 'attachment; filename="a b;c.txt"'),
        ('a".txt', "attachment; filename=\"a_.txt\"; filename*=UTF-8''a%22.txt"),
        ("é€.txt", "attachment; filename=\"__.txt\"; filename*=UTF-8''%C3%A9%E2%82%AC.txt"),
        ("50%20.txt", "attachment; filename=\"50_20.txt\"; filename*=UTF-8''50%2520.txt"),
        ("../a\\b", 'attachment; filename=".._a_b"'),
    ],
)
def test_a_non_ascii_name_is_sent_twice(name: str, value: str) -> None:
    assert attachment(name) == value


@given(NAMES)
def test_no_name_breaks_out_of_the_header(name: str) -> None:
    value = attachment(name)
    found = re.fullmatch(
        r"attachment; filename=\"([ !#$&-.0-\[\]-~]*)\"(?:; filename\*=UTF-8''([A-Za-z0-9!#$&+\-.^_`|~%]*))?",
        value,
    )
    assert found, value
    exact = found[1] if found[2] is None else unquote(found[2], errors="strict")
    assert exact == re.sub(r"[\\/]", "_", name)


@pytest.mark.parametrize(
    ("header", "known"),
    [
        ('"abc"', True),
        ('W/"abc"', True),
        ('"x", "abc"', True),
        ('"x","y,\\"", W/"abc"', True),
        ("*", True),
        ("abc", False),
        ('"ABC"', False),
        ('"abcd"', False),
        ("", False),
    ],
)
def test_a_client_that_has_the_file_is_known_by_its_tag(header: str, known: bool) -> None:
    assert is_known(header, '"abc"') is known
    assert matches(header, '"abc"') is (known and "W/" not in header)


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-9", (0, 10)),
        ("bytes=2-", (2, 8)),
        ("bytes=9-", (9, 1)),
        ("bytes=5-100", (5, 5)),
        ("bytes=-3", (7, 3)),
        ("bytes=-100", (0, 10)),
        ("Bytes=00001-1", (1, 1)),
        ("bytes=0-9223372036854775807", (0, 10)),
        ("bytes=10-", (10, 0)),
        ("bytes=9223372036854775807-", (9223372036854775807, 0)),
        ("bytes=0-" + "9" * 5000, None),
        ("bytes=" + "0" * 5000 + "-", None),
        ("bytes=-" + "9" * 5000, None),
        ("bytes=-0", (10, 0)),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("bytes=a-b", None),
        ("bytes=١-٢", None),
        ("items=0-1", None),
        ("", None),
    ],
)
def test_a_range_of_ten_bytes(header: str, part: tuple[int, int] | None) -> None:
    assert parse_range(header, 10) == part


@given(st.text() | st.from_regex(r"bytes=[0-9]{0,3}-[0-9]{0,3}", fullmatch=True), st.integers(1, 999))
def test_sent_ranges_are_within_the_file(header: str, size: int) -> None:
    part = parse_range(header, size)
    assert part is None or part[1] == 0 or (part[0] >= 0 and part[1] > 0 and sum(part) <= size)
