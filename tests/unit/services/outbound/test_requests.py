"""How a redirect changes a request: its method, its body, its credentials."""

from __future__ import annotations

from dataclasses import replace

import pytest

from picloud.services.outbound.errors import Denied
from picloud.services.outbound.requests import MAX_BODY, Request, check_body, check_method
from picloud.services.outbound.secret_headers import SecretHeaders
from picloud.services.outbound.targets import Targets

TARGETS = Targets()
HEADERS = (
    ("x-a", "1"),
    ("authorization", "Bearer s"),
    ("cookie", "c=1"),
    ("content-type", "text/plain"),
    ("content-language", "en"),
)
SAME = "http://a.example/next"


def request(method: str = "POST", url: str = "http://a.example/here?q") -> Request:
    return Request(method, TARGETS.parse(url), HEADERS, b"body")


def after(made: Request, status: int, location: str = SAME) -> Request:
    following = made.after(status, location, TARGETS)
    assert following is not None
    return following


@pytest.mark.parametrize(
    ("status", "method", "becomes"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (301, "PUT", "PUT"),
        (302, "DELETE", "DELETE"),
        (303, "PUT", "GET"),
        (303, "DELETE", "GET"),
        (303, "PATCH", "GET"),
        (303, "OPTIONS", "GET"),
        (303, "PROPFIND", "GET"),
        (302, "PROPFIND", "PROPFIND"),
        (308, "PROPFIND", "PROPFIND"),
        (307, "PUT", "PUT"),
        (303, "HEAD", "HEAD"),
        (303, "GET", "GET"),
        (301, "HEAD", "HEAD"),
        (302, "GET", "GET"),
    ],
)
def test_the_method_after_a_redirect(status: int, method: str, becomes: str) -> None:
    following = after(request(method), status)
    assert following.method == becomes
    dropped = becomes == "GET" and method != "GET"
    assert following.body == (None if dropped else b"body")
    names = [name for name, _ in following.headers]
    assert ("content-type" in names, "content-language" in names) == (not dropped, not dropped)
    assert "x-a" in names


@pytest.mark.parametrize("status", [200, 201, 300, 304, 305, 306, 309, 399, 400, 503])
def test_other_statuses_are_not_redirects(status: int) -> None:
    assert request().after(status, SAME, TARGETS) is None


def test_a_redirect_without_a_location_is_returned() -> None:
    assert request().after(302, "", TARGETS) is None


CREDENTIALS = (
    ("authorization", "x"),
    ("cookie", "c=1"),
    ("proxy-authorization", "x"),
    ("proxy-anything", "x"),
    ("x-api-key", "x"),
    ("x-apikey", "x"),
    ("api-key", "x"),
    ("x-goog-api-key", "x"),
    ("ocp-apim-subscription-key", "x"),
    ("x-auth-token", "x"),
    ("x-amz-security-token", "x"),
    ("private-token", "x"),
    ("x-gitlab-token", "x"),
    ("x-shopify-access-token", "x"),
    ("x-client-secret", "x"),
    ("x-vault-password", "x"),
    ("x-hub-signature-256", "x"),
    ("x-session-id", "x"),
    ("x-csrf", "x"),
    ("dpop", "x"),
    ("x-ours", "Bearer x"),
    ("x-ours", "basic eDp5"),
    ("x-ours", "AWS4-HMAC-SHA256 Credential=x"),
    ("x-ours", f"pis_{'a' * 43}"),
    ("x-marked", "x"),
)
ORDINARY = (
    ("accept", "*/*"),
    ("accept-language", "en"),
    ("user-agent", "PiCloud"),
    ("if-none-match", '"x"'),
    ("if-modified-since", "x"),
    ("range", "bytes=0-"),
    ("referer", "http://a.example/"),
    ("x-request-id", "x"),
    ("x-author", "x"),
    ("x-compass", "x"),
    ("x-a", "Bearer"),
)

ORIGINS = [
    ("/elsewhere", True),
    ("http://a.example:80/", True),
    ("HTTP://A.example/", True),
    ("http://b.example/", False),
    ("https://a.example/", False),
    ("http://a.example:8080/", False),
    ("//b.example/", False),
    ("http://x.a.example/", False),
]


@pytest.mark.parametrize(("location", "kept"), ORIGINS)
@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.parametrize("header", CREDENTIALS, ids=[f"{name}: {value}" for name, value in CREDENTIALS])
def test_credentials_stay_with_their_origin(
    header: tuple[str, str], location: str, kept: bool, status: int
) -> None:
    made = replace(request(), headers=(*ORDINARY, header), secret=frozenset(("x-marked",)))
    assert after(made, status, location).headers == ((*ORDINARY, header) if kept else ORDINARY)


def test_names_of_the_operator_are_credentials_too() -> None:
    made = replace(request(), headers=(("x-internal-ticket", "x"), ("x-a", "1")))
    following = made.after(302, "http://b.example/", TARGETS, SecretHeaders(["ticket"]))
    assert following is not None
    assert following.headers == (("x-a", "1"),)


@pytest.mark.parametrize(("location", "same"), ORIGINS)
@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("asked", [False, True])
def test_a_body_goes_to_another_origin_only_if_asked_for(
    location: str, same: bool, status: int, asked: bool
) -> None:
    following = after(replace(request(), redirect_body=asked), status, location)
    kept = same or asked
    assert (following.method, following.body) == ("POST", b"body" if kept else None)
    assert ("content-type" in dict(following.headers)) is kept


def test_neither_credentials_nor_the_body_come_back_with_their_origin() -> None:
    there = after(request(), 307, "http://b.example/")
    back = after(there, 307, "http://a.example/")
    assert [name for name, _ in back.headers] == ["x-a"]
    assert back.body is None


@pytest.mark.parametrize("location", ["http://a.example:22/", "http://127.1/", "ftp://a.example/"])
def test_a_body_is_not_resent_to_a_denied_target(location: str) -> None:
    with pytest.raises(Denied):
        request().after(307, location, TARGETS)


@pytest.mark.parametrize("method", [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND",
])  # fmt: skip
def test_allowed_methods(method: str) -> None:
    assert check_method(method) == method


@pytest.mark.parametrize(
    "method", ["", "get", "CONNECT", "TRACE", "TRACK", "GET /", "GET\r\n", "A" * 21, "GÉT", "A-B", "M\0"]
)
def test_denied_methods(method: str) -> None:
    with pytest.raises(Denied) as denied:
        check_method(method)
    assert denied.value.category == "method"


def test_request_bodies_are_limited() -> None:
    assert check_body(None) is None
    assert check_body(bytes(MAX_BODY))
    with pytest.raises(Denied):
        check_body(bytes(MAX_BODY + 1))
