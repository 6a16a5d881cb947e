"""Answers: what is sent is safe, all else is a response_invalid or a broken interface."""

from __future__ import annotations

import re

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.core.interface import InterfaceViolation
from picloud.sandbox.limits import FIXED
from picloud.sandbox.outcome import STATUS, FileReference
from picloud.sandbox.response import CheckedResult

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")
JSON, TEXT, BLOB, FILE, EMPTY = 1, 2, 3, 4, 0


def answer(status: int = 200, headers: object = None, kind: int = TEXT, body: bytes = b"x") -> CheckedResult:
    packed = ormsgpack.packb([0, 5, status, {} if headers is None else headers, kind, body])
    return CheckedResult(packed, {"picloud_session", "__host-picloud_session"})


def refused(made: CheckedResult) -> bool:
    return made.code == "response_invalid" and made.response is None and made.error is not None


@pytest.mark.parametrize("status", [200, 204, 299, 301, 404, 499, 500, 599])
def test_a_status_from_200_to_599_is_sent(status: int) -> None:
    made = answer(status)
    assert made.response is not None
    assert (made.response.status, made.operations) == (status, 5)


@pytest.mark.parametrize("status", [-1, 0, 99, 100, 101, 103, 199, 600, 999, 1000, 2**31, 2**63 - 1])
def test_another_status_is_not(status: int) -> None:
    assert refused(answer(status))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a:b",
        "a b",
        " a",
        "a ",
        "a\r\nb",
        "a\n",
        "a\0",
        "é",
        "a\u2028",
        "a/b",
        "a@b",
        "(a)",
        '"a"',
        "a" * 129,
    ],
)
def test_an_invalid_header_name_is_rejected(name: str) -> None:
    assert refused(answer(headers={name: "x"}))


@pytest.mark.parametrize(
    "value",
    ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "\x7f", "x" * 8193, "é" * 4097, None, 1, True, {}, [[]], [1]],
)
def test_an_invalid_header_value_is_rejected(value: object) -> None:
    assert refused(answer(headers={"a": value}))


@pytest.mark.parametrize("value", ["", "\t a", "é", "\u0100", "€", "🎈", "x" * 8192])
def test_a_header_value_is_any_text_without_control_characters(value: str) -> None:
    made = answer(headers={"a": value})
    assert made.response is not None
    assert ("a", value) in made.response.headers


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"a": "x" * 8193}, "header 'a' is longer than 8192 bytes"),
        ({"a": "€" * 4000}, "header 'a' is longer than 8192 bytes"),
        ({"a": "b\0"}, "header 'a' contains a control character"),
        ({"a": 1}, "header 'a' is not a string"),
        ({"a" * 129: "b"}, f"the header name {'a' * 64!r}... is longer than 128 characters"),
        ({"a b": "b"}, "invalid header name 'a b'"),
        ({"location": ["/a", "/b"]}, "header 'location' can have one value only"),
        ({"Content-Type": "a/b", "content-type": "c/d"}, "header 'content-type' can have one value only"),
    ],
)
def test_the_reason_is_named(headers: object, message: str) -> None:
    made = answer(headers=headers)
    assert made.error is not None
    assert made.error.message == message


@pytest.mark.parametrize(
    "name",
    [
        "X-Accel-Redirect",
        "x-accel-buffering",
        "X-Accel-Limit-Rate",
        "X-Sendfile",
        "x-sendfile2",
        "X-SENDFILE-TEMPORARY",
        "X-Lighttpd-Send-File",
        "X-LIGHTTPD-send-tempfile",
        "X-Reproxy-URL",
        "X-REPROXY-FILE",
        "X-LiteSpeed-Location",
        "X-Envoy-Immediate-Health-Check-Fail",
    ],
)
def test_commands_to_proxies_are_refused(name: str) -> None:
    made = answer(headers={name: "/internal"})
    assert made.error is not None
    assert made.error.message == f"scripts cannot set the header {name.lower()!r}"


def test_other_headers_of_applications_are_sent() -> None:
    for name in ("x-total-count", "x-accelerate", "x-sender", "x-frame-options", "clear-site-data"):
        assert answer(headers={name: "1"}).response is not None


@pytest.mark.parametrize(
    "name",
    [
        "connection",
        "Connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "upgrade",
        "content-length",
        "Content-Length",
        "transfer-encoding",
        "TRANSFER-ENCODING",
        "x-request-id",
        "x-execution-id",
    ],
)
def test_framing_and_hop_by_hop_headers_belong_to_the_server(name: str) -> None:
    assert refused(answer(headers={name: "1"}))


@pytest.mark.parametrize(
    "cookie",
    [
        "picloud_session=x",
        "PICLOUD_SESSION=x; Path=/",
        " picloud_session =x",
        "\tpicloud_session=x",
        "__Host-picloud_session=x",
        "=picloud_session=x",
        " = =picloud_session=x",
        "picloud_session",
        "picloud_session;",
        "picloud_session ; Path=/",
    ],
)
def test_a_script_cannot_set_the_session_cookie(cookie: str) -> None:
    assert refused(answer(headers={"set-cookie": cookie}))
    assert refused(answer(headers={"Set-Cookie": ["a=b", cookie]}))


def test_a_script_can_set_cookies_of_its_own() -> None:
    made = answer(headers={"Set-Cookie": ["a=picloud_session", "my_picloud_session=1"]})
    assert made.response is not None
    assert [value for name, value in made.response.headers if name == "set-cookie"] == [
        "a=picloud_session",
        "my_picloud_session=1",
    ]


@pytest.mark.parametrize(
    "headers", [{f"h{i}": "" for i in range(101)}, {"h": ["x" * 8000] * 5}, {"h": [""] * 101}]
)
def test_headers_are_bounded_together(headers: object) -> None:
    assert refused(answer(headers=headers))


@pytest.mark.parametrize("status", [204, 205, 304])
def test_a_status_without_a_body_is_sent_without_one(status: int) -> None:
    made = answer(status, body=b"body")
    assert made.response is not None
    assert made.response.body == b""
    assert "content-type" not in dict(made.response.headers)


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        (EMPTY, None),
        (JSON, "application/json"),
        (TEXT, "text/plain; charset=utf-8"),
        (BLOB, "application/octet-stream"),
        (99, None),
    ],
)
def test_the_content_type_follows_the_body_unless_set(kind: int, sent: str | None) -> None:
    made = answer(kind=kind)
    assert made.response is not None
    assert dict(made.response.headers).get("content-type") == sent
    made = answer(kind=kind, headers={"Content-Type": "image/svg+xml"})
    assert made.response is not None
    assert made.response.headers == [("content-type", "image/svg+xml")]


@pytest.mark.parametrize(
    ("given", "kind", "sent"),
    [
        ("text/html", TEXT, "text/html; charset=utf-8"),
        ("Text/CSS", TEXT, "Text/CSS; charset=utf-8"),
        ("text/csv; header=present", TEXT, "text/csv; header=present; charset=utf-8"),
        ("text/html;", TEXT, "text/html; charset=utf-8"),
        ("text/plain", JSON, "text/plain; charset=utf-8"),
        ("text/html; Charset=latin1", TEXT, "text/html; Charset=latin1"),
        ("text/html", BLOB, "text/html"),
        ("application/xml", TEXT, "application/xml"),
    ],
)
def test_text_from_a_string_names_its_charset(given: str, kind: int, sent: str) -> None:
    made = answer(kind=kind, headers={"Content-Type": given})
    assert made.response is not None
    assert made.response.headers == [("content-type", sent)]


def test_a_body_above_the_limit_is_rejected() -> None:
    limit = FIXED["max_response_body"]
    assert answer(body=bytes(limit)).code == "ok"
    assert refused(answer(body=bytes(limit + 1)))


def file(reference: object, status: int = 200, **headers: str) -> CheckedResult:
    return answer(status, headers, FILE, ormsgpack.packb(reference))


def test_a_file_response_has_the_id_of_the_file() -> None:
    made = file(["photos", "0f8fad5b"], etag="x")
    assert made.response is not None
    assert made.response.file == FileReference("photos", "0f8fad5b")
    assert (made.response.body, made.response.headers) == (b"", [("etag", "x")])
    empty = file(["photos", "0f8fad5b"], 304)
    assert empty.response is not None
    assert empty.response.file is None
    assert answer().response is not None
    assert answer().response.file is None  # type: ignore[union-attr]  # just seen


@pytest.mark.parametrize("reference", [["", "x"], ["c" * 129, "x"], ["ü" * 65, "x"], ["c", "x" * 65]])
def test_an_invalid_file_is_rejected(reference: object) -> None:
    assert refused(file(reference))


@pytest.mark.parametrize("reference", [None, 1, "c", {}, [], ["c"], ["c", "x", "y"], ["c", b"x"], [1, "x"]])
def test_a_file_that_is_not_named_breaks_the_interface(reference: object) -> None:
    with pytest.raises(InterfaceViolation):
        file(reference)
    with pytest.raises(InterfaceViolation):
        answer(kind=FILE, body=b"\xc1")


def failed(error: object, operations: object = 3) -> CheckedResult:
    return CheckedResult(ormsgpack.packb([1, operations, error]))


def test_an_error_keeps_its_place_and_code() -> None:
    made = failed({"code": "operation_budget", "message": "m", "line": 3, "column": 4, "module": "lib"})
    assert made.code == "operation_budget"
    assert made.error is not None
    assert (made.error.message, made.error.line, made.error.column, made.error.module) == ("m", 3, 4, "lib")


@pytest.mark.parametrize("code", ["internal", "ok", "overloaded", "timeout", "", None, 7, [], {}, "x" * 1000])
def test_a_guest_cannot_name_an_outcome_that_is_the_hosts(code: object) -> None:
    assert failed({"code": code, "message": "m"}).code == "script_error"


@pytest.mark.parametrize("place", [0, -1, "1", True, 1.5, [], 2**64 - 1])
def test_an_invalid_position_is_left_out(place: object) -> None:
    error = failed({"message": "m", "line": place, "column": place}).error
    assert error is not None
    assert (error.line, error.column) == (None, None)


def test_a_message_is_cut() -> None:
    error = failed({"message": "x" * 100_000}).error
    assert error is not None
    assert len(error.message) == 4096


@pytest.mark.parametrize("operations", [-1, 2**63, True, "1", None, 1.0])
def test_operations_are_a_number_the_log_can_hold(operations: object) -> None:
    with pytest.raises(InterfaceViolation):
        failed({}, operations)


def check(made: CheckedResult) -> None:
    assert made.code in STATUS or made.code == "ok"
    assert (made.response is None) == (made.code != "ok")
    assert (made.error is None) == (made.code == "ok")
    if made.response is None:
        return
    assert 200 <= made.response.status <= 599
    for name, value in made.response.headers:
        assert TOKEN.fullmatch(name)
        assert name not in ("content-length", "transfer-encoding", "connection", "upgrade")
        assert not set(value) & {"\r", "\n", "\0"}
        value.encode()


@given(st.binary(max_size=300))
def test_any_bytes_are_a_response_or_a_violation(data: bytes) -> None:
    try:
        check(CheckedResult(data))
    except InterfaceViolation:
        return


def packed(message: object) -> bytes:
    try:
        return ormsgpack.packb(message)
    except TypeError:  # an integer that MessagePack has not
        return b""


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc-: \r\n", max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)
headers = st.dictionaries(
    st.text("abcXY-: \r\n\0é", max_size=8), st.text("ab \t\r\n\0é🎈;=") | anything, max_size=5
)


@given(
    st.lists(anything, max_size=7)
    | st.tuples(st.integers(0, 1), st.integers(), st.integers(), headers, st.integers(), st.binary()).map(
        list
    )
    | st.tuples(st.just(0), st.just(0), st.integers(190, 610), headers, st.integers(-1, 4), st.binary()).map(
        list
    )
    | st.tuples(
        st.just(0), st.just(0), st.just(200), headers, st.just(4), anything.map(packed) | st.binary()
    ).map(list)
    | st.tuples(
        st.just(1),
        st.integers(0, 9),
        anything
        | st.dictionaries(st.sampled_from(["code", "message", "line", "column", "module"]), anything),
    ).map(list)
)
def test_any_message_is_a_safe_response_or_a_violation(message: list[object]) -> None:
    try:
        data = ormsgpack.packb(message)
    except TypeError:  # an integer that MessagePack has not
        return
    try:
        check(CheckedResult(data))
    except InterfaceViolation:
        return
