"""Promises of routing/domains.py."""

from __future__ import annotations

from uuid import UUID

import pytest

from picloud.routing.domains import DomainTable

ONE, TWO, WILD, DEEP, SIX = (UUID(int=number) for number in (1, 2, 3, 4, 6))
table = DomainTable(
    [
        ("localhost", ONE),
        ("api.example.com", TWO),
        ("*.example.com", WILD),
        ("*.deep.example.com", DEEP),
        ("[::1]", SIX),
    ]
)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("localhost", (ONE, "localhost")),
        ("LOCALHOST:8123", (ONE, "localhost")),
        ("localhost.", (ONE, "localhost")),
        ("Api.Example.COM", (TWO, "api.example.com")),
        ("[::1]:8123", (SIX, "[::1]")),
        ("www.example.com", (WILD, "www.example.com")),
        ("a.b.example.com:1", (WILD, "a.b.example.com")),
        ("x.api.example.com", (WILD, "x.api.example.com")),
        ("deep.example.com", (WILD, "deep.example.com")),
        ("x.y.deep.example.com", (DEEP, "x.y.deep.example.com")),
        ("example.com", None),
        ("notexample.com", None),
        (".example.com", None),
        ("a b.example.com", None),
        ("", None),
        ("[", None),
        (":80", None),
    ],
)
def test_the_most_specific_claim_decides_the_app(header: str, found: tuple[UUID, str] | None) -> None:
    assert table.find(header) == found


def test_the_default_app_gets_unclaimed_hosts_only_while_no_other_app_has_a_claim() -> None:
    one, other = ONE, TWO
    alone = DomainTable([("localhost", one)], default=one)
    assert alone.find("Other.Example:80") == (one, "other.example")
    assert alone.find("a b") is None
    shared = DomainTable([("localhost", one), ("shop.t", other)], default=one)
    assert (shared.find("other.example"), shared.find("localhost")) == (None, (one, "localhost"))
    assert DomainTable([], default=one).find("other.example") == (one, "other.example")
