"""Promises of routing/cors.py."""

from __future__ import annotations

from typing import Any

import pytest

from picloud.core.errors import Invalid
from picloud.routing.cors import Cors


def test_settings_are_normalized_and_read_back() -> None:
    cors = Cors.parse(
        {
            "origins": ["HTTPS://Shop.Example:443", "http://localhost:3000", "https://bücher.example"],
            "methods": ["get", "POST", "GET"],
            "headers": ["X-Thing"],
            "expose_headers": ["X-Total"],
            "credentials": True,
            "max_age_seconds": 60,
        }
    )
    assert cors.origins == ("https://shop.example", "http://localhost:3000", "https://xn--bcher-kva.example")
    assert (cors.methods, cors.headers) == (("GET", "POST"), ("x-thing",))
    assert Cors.stored(cors.as_json()) == cors
    assert Cors.parse(cors.as_json()) == cors
    assert Cors.stored(None) is None


def test_origins_alone_are_enough() -> None:
    cors = Cors.parse({"origins": ["*"]})
    assert (cors.allowed("https://anything.example"), cors.credentials) == ("*", False)
    assert "OPTIONS" not in cors.methods


def test_only_the_very_origin_is_allowed() -> None:
    cors = Cors.parse({"origins": ["https://shop.example"]})
    assert cors.allowed("https://shop.example") == "https://shop.example"
    for other in ("http://shop.example", "https://shop.example:8443", "https://x.shop.example", "null", ""):
        assert cors.allowed(other) is None


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({}, "origins"),
        ({"origins": []}, "origins"),
        ({"origins": ["shop.example"]}, "origins"),
        ({"origins": ["https://shop.example/"]}, "origins"),
        ({"origins": ["https://*.example"]}, "origins"),
        ({"origins": ["https://user@shop.example"]}, "origins"),
        ({"origins": ["https://shop.example:x"]}, "origins"),
        ({"origins": ["ftp://shop.example"]}, "origins"),
        ({"origins": ["null"]}, "origins"),
        ({"origins": ["https://a b"]}, "origins"),
        ({"origins": ["*", "https://shop.example"]}, "origins"),
        ({"origins": [f"https://{n}.example" for n in "a" * 101]}, "origins"),
        ({"origins": ["*"], "methods": ["BREW"]}, "methods"),
        ({"origins": ["*"], "headers": ["a b"]}, "headers"),
        ({"origins": ["*"], "headers": [""]}, "headers"),
        ({"origins": ["*"], "expose_headers": ["a\nb"]}, "expose_headers"),
        ({"origins": ["*"], "max_age_seconds": -1}, "max_age_seconds"),
        ({"origins": ["*"], "max_age_seconds": 86_401}, "max_age_seconds"),
        ({"origins": ["*"], "credentials": True}, "origins"),
        ({"origins": ["https://a.example"], "credentials": True, "headers": ["*"]}, "headers"),
    ],
)
def test_settings_that_browsers_reject_are_rejected_with_their_field(
    settings: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        Cors.parse(settings)
    assert caught.value.details["field"] == f"cors.{field}"
