"""Promises of routing/pattern.py."""

from __future__ import annotations

import pytest

from picloud.errors import Invalid
from picloud.routing.pattern import parse_host, parse_method, parse_path


@pytest.mark.parametrize(
    "path",
    [
        "/api/x",
        "/api/",
        "/admin",
        "/admin/x",
        "/healthz",
        "/readyz",
        "/version",
        "/metrics",
        "/realtime/x",
        "/%61pi/x",
    ],
)
def test_reserved_paths_cannot_be_routed(path: str) -> None:
    with pytest.raises(Invalid, match="reserved"):
        parse_path(path)


@pytest.mark.parametrize(
    "path", ["/", "/api", "/apis/x", "/administrators", "/healthz/x", "/versions", "/realtime"]
)
def test_their_neighbours_can(path: str) -> None:
    assert parse_path(path) == path


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("greet", "starts with '/'"),
        ("/greet/*", "prefix"),
        ("/users/:id", "parameter"),
        ("/a:b", "middle"),
        ("/{id}", "braces"),
        ("/a?b", "query"),
        ("/a#b", "fragment"),
        ("/../a", "segment"),
        ("/%zz", "hexadecimal"),
        ("/a\0", "NUL"),
        ("/" + "a" * 2048, "2048"),
    ],
)
def test_other_patterns_are_refused_with_the_reason(path: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        parse_path(path)


def test_two_spellings_of_a_path_are_stored_alike() -> None:
    assert parse_path("/caf%C3%A9") == parse_path("/café") == "/café"


def test_methods_are_known_and_upper_case() -> None:
    assert parse_method("get") == "GET"
    assert parse_method(None) is None
    with pytest.raises(Invalid):
        parse_method("BREW")


def test_a_host_of_its_own_is_refused() -> None:
    assert parse_host("any") == "any"
    with pytest.raises(Invalid):
        parse_host("api.example.com")
