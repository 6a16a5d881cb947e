"""Promises of routing/domains.py."""

from __future__ import annotations

from uuid import UUID

import pytest

from picloud.errors import Invalid
from picloud.routing.domains import DomainTable, host_name, parse_claim

ONE, TWO, SIX = UUID(int=1), UUID(int=2), UUID(int=6)
table = DomainTable([("localhost", ONE), ("api.example.com", TWO), ("[::1]", SIX)])


@pytest.mark.parametrize(
    ("header", "app"),
    [
        ("localhost", ONE),
        ("localhost:8123", ONE),
        ("LOCALHOST:8123", ONE),
        ("localhost.", ONE),
        ("Api.Example.COM", TWO),
        ("[::1]:8123", SIX),
        ("example.com", None),
        ("x.api.example.com", None),
        ("", None),
        ("[", None),
        (":80", None),
    ],
)
def test_the_host_decides_the_app_whatever_its_case_and_port(header: str, app: UUID | None) -> None:
    assert table.find(header) == app


@pytest.mark.parametrize(
    ("pattern", "claim"),
    [
        ("API.Example.com", "api.example.com"),
        ("localhost", "localhost"),
        ("example.com.", "example.com"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "[::1]"),
        ("[0:0::1]", "[::1]"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("my_host", "my_host"),
    ],
)
def test_a_claim_is_stored_in_the_form_requests_are_compared_in(pattern: str, claim: str) -> None:
    assert parse_claim(pattern) == claim
    assert host_name(claim) == claim


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        ".",
        "a..b",
        "a b",
        "exa\0mple.com",
        "example.com:80",
        "*.example.com",
        "-a.com",
        "a" * 64 + ".com",
        "a/b",
        "ü" * 300,
    ],
)
def test_what_is_no_exact_host_cannot_be_claimed(pattern: str) -> None:
    with pytest.raises(Invalid):
        parse_claim(pattern)
