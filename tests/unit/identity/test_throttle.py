"""Promises of identity/throttle.py that need no database."""

from __future__ import annotations

import pytest

from picloud.identity.throttle import network


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_an_address_is_one_host(address: str, key: str) -> None:
    assert network(address) == key
