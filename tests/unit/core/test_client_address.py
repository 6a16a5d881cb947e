"""Promises of address.py."""

from __future__ import annotations

from picloud.core.client_address import source


def test_one_client_of_ipv6_is_its_network() -> None:
    assert source("2001:db8::1") == source("2001:db8::ffff:1") != source("2001:db8:0:1::1")
    assert source("192.0.2.1") != source("192.0.2.2")
    assert source("") == ""
