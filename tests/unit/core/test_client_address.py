"""Promises of core/client_address.py."""

from __future__ import annotations

from picloud.core.client_address import rate_limit_key


def test_one_client_of_ipv6_is_its_network() -> None:
    assert (
        rate_limit_key("2001:db8::1")
        == rate_limit_key("2001:db8::ffff:1")
        != rate_limit_key("2001:db8:0:1::1")
    )
    assert rate_limit_key("192.0.2.1") != rate_limit_key("192.0.2.2")
    assert rate_limit_key("") == ""
