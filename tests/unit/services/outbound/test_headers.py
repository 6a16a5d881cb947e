"""Headers that a script can send, and headers of a response that it gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.services.outbound.errors import Denied, Failed
from picloud.services.outbound.headers import (
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    USER_AGENT,
    Headers,
    check_headers,
    received,
    without,
)

OURS = {("accept-encoding", "gzip, deflate")}
DEFAULTS = {("accept", "*/*"), ("user-agent", USER_AGENT)}


def own(headers: Headers) -> list[tuple[str, str]]:
    return [header for header in headers if header not in OURS | DEFAULTS]


def test_ordinary_headers_are_sent_as_given_with_ours_added() -> None:
    given = [
        ["x-a", "1"],
        ["Accept", "text/html"],
        ["x-a", " 2\t"],
        ["authorization", "Bearer x"],
        ["x-ü", "ü"],
    ][:4]
    sent = check_headers([*given, ["x-b", "ü"]])
    assert own(sent) == [
        ("x-a", "1"),
        ("accept", "text/html"),
        ("x-a", "2"),
        ("authorization", "Bearer x"),
        ("x-b", "ü"),
    ]
    assert ("user-agent", USER_AGENT) in sent
    assert ("accept", "*/*") not in sent
    assert sent[-1] == ("accept-encoding", "gzip, deflate")


@pytest.mark.parametrize(
    "name",
    [
    "host", "Host", "HOST", "content-length", "Transfer-Encoding", "te", "trailer", "connection",
    "keep-alive", "upgrade", "http2-settings", "expect", "proxy-authorization", "Proxy-Connection",
    "proxy-anything", "accept-encoding",
],
)  # fmt: skip
def test_reserved_headers_are_denied_by_name(name: str) -> None:
    with pytest.raises(Denied) as denied:
        check_headers([["x-a", "1"], [name, "x"]])
    assert denied.value.category == "header"
    assert str(denied.value).endswith(f"the header {name.lower()}")


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a b",
        "a:",
        ":a",
        "a\r\nb",
        "a\0",
        "ä",
        "a\t",
        " a",
        "a ",
        "a/b",
        "a(b)",
        "[x]",
        "a\x7f",
        "ＨＯＳＴ",
    ],
)
def test_an_invalid_header_name_is_denied(name: str) -> None:
    with pytest.raises(Denied):
        check_headers([[name, "x"]])


@pytest.mark.parametrize(
    "value", ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "\x0b", "\x7f", "\ud800", "a\x01", "\r\n"]
)
def test_a_value_with_a_control_character_is_denied(value: str) -> None:
    with pytest.raises(Denied, match="x-a"):
        check_headers([["x-a", value]])


@pytest.mark.parametrize(
    "pair", [None, 1, "ab", ["a"], ["a", 1], [1, "a"], ["a", None], ["a", ["b"]], ["a", "b", "c"], {}]
)
def test_headers_must_be_pairs_of_strings(pair: object) -> None:
    with pytest.raises(Denied):
        check_headers([pair])


def test_request_headers_are_limited() -> None:
    assert check_headers([["x", "1"]] * MAX_HEADERS)
    with pytest.raises(Denied):
        check_headers([["x", "1"]] * (MAX_HEADERS + 1))
    assert check_headers([["x", "1" * (MAX_HEADER_BYTES - 1)]])
    with pytest.raises(Denied):
        check_headers([["x", "ü" * (MAX_HEADER_BYTES // 2)]])


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)).map(list), max_size=5))
def test_nothing_accepted_can_end_a_line(given: list[list[str]]) -> None:
    try:
        sent = check_headers(given)
    except Denied:
        return
    for name, value in sent:
        assert name == name.lower()
        assert not set(name + value) & set("\r\n\0")
        assert name not in ("host", "content-length", "transfer-encoding", "connection")


def test_response_headers_have_lower_case_names_and_lists_of_repeated_values() -> None:
    raw = [
        (b"X-A", b"1"),
        (b"Set-Cookie", b"a=1, b"),
        (b"set-cookie", b"c=2"),
        (b"SET-COOKIE", b"d"),
        (b"X-B", b"\xff\xc3\xbc"),
    ]
    assert received(raw) == {"x-a": "1", "set-cookie": ["a=1, b", "c=2", "d"], "x-b": "\ufffdü"}


def test_too_large_response_headers_are_rejected() -> None:
    assert received([(b"a", b"b" * (MAX_HEADER_BYTES - 1))])
    with pytest.raises(Failed):
        received([(b"a", b"b" * (MAX_HEADER_BYTES - 2)), (b"c", b"d")])


def test_headers_can_be_removed() -> None:
    headers = (("a", "1"), ("b", "2"), ("a", "3"))
    assert without(headers, ("a",)) == (("b", "2"),)
