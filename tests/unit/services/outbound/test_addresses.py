"""Addresses that scripts can reach: denied ones are denied in every spelling, all others are allowed."""

from __future__ import annotations

import errno
import os
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.services.outbound import addresses
from picloud.services.outbound.addresses import Address, Addresses, is_own
from picloud.services.outbound.errors import Denied

RANGES_IPV4 = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
]  # fmt: skip
RANGES_IPV6 = [
    "::/96", "::1/128", "::/3", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001::/32",
    "2001:db8::/32", "2002::/16", "3ffe::/16", "3fff::/20", "4000::/2", "5f00::/16", "8000::/1",
    "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
]  # fmt: skip
ENDS_IPV4 = [end for text in RANGES_IPV4 for end in (ip_network(text)[0], ip_network(text)[-1])]
ENDS_IPV6 = [end for text in RANGES_IPV6 for end in (ip_network(text)[0], ip_network(text)[-1])]
PUBLIC = [
    "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
    "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255",
    "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0",
    "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0",
    "223.255.255.255", "168.63.129.15", "168.63.129.17", "2000::", "2001:200::",
    "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2003::", "2606:4700::1111", "3ffd:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::",
]  # fmt: skip


SPECIAL = [
    "192.0.0.0/29", "192.0.0.8/32", "192.0.0.9/32", "192.0.0.10/32", "192.0.0.170/31", "192.0.0.192/32",
    "192.88.99.2/32", "255.255.255.255/32", "100:0:0:1::/64", "2001:1::1/128", "2001:1::2/128",
    "2001:1::3/128", "2001:2::/48", "2001:3::/32", "2001:4:112::/48", "2001:10::/28", "2001:20::/28",
    "2001:30::/28",
]  # fmt: skip
"""Parts of these ranges with their own entry in the IANA registries of special-purpose addresses."""


def wrapped(inner: IPv4Address) -> dict[str, IPv6Address]:
    """An IPv4 address in every IPv6 form."""
    bits = int(inner)
    return {
        "v4-mapped": IPv6Address(0xFFFF << 32 | bits),
        "v4-compatible": IPv6Address(bits),
        "v4-translated": IPv6Address(0xFFFF << 48 | bits),
        "NAT64": IPv6Address(int(IPv6Address("64:ff9b::")) | bits),
        "NAT64 of a network": IPv6Address(int(IPv6Address("64:ff9b:1::")) | bits),
        "6to4": IPv6Address(0x2002 << 112 | bits << 80 | 1),
        "Teredo client": IPv6Address(0x20010000 << 96 | (bits ^ 0xFFFFFFFF)),
        "Teredo server": IPv6Address(0x20010000 << 96 | bits << 64),
        "ISATAP": IPv6Address(int(IPv6Address("fe80::5efe:0:0")) | bits),
        "ISATAP of a site": IPv6Address(int(IPv6Address("2606:4700::5efe:0:0")) | bits),
        "ISATAP of a site, unique": IPv6Address(int(IPv6Address("2606:4700::200:5efe:0:0")) | bits),
    }


def not_own(_: Address) -> bool:
    return False


def category(address: Address | str, port: int = 443, rule: Addresses | None = None) -> str:
    try:
        (rule or Addresses(own=not_own)).check(ip_address(str(address)), port)
    except Denied as denied:
        return denied.category
    return "allowed"


@pytest.mark.parametrize("address", [*ENDS_IPV4, *ENDS_IPV6], ids=str)
def test_the_ends_of_every_denied_range_are_denied(address: Address) -> None:
    assert category(address) == "private address"


@pytest.mark.parametrize("text", SPECIAL)
def test_no_special_part_of_a_denied_range_is_allowed(text: str) -> None:
    assert {category(ip_network(text)[0]), category(ip_network(text)[-1])} == {"private address"}


@pytest.mark.parametrize("address", ENDS_IPV4, ids=str)
def test_no_spelling_gets_a_denied_address_through(address: IPv4Address) -> None:
    for form, worn in wrapped(address).items():
        assert category(worn) == "private address", form


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_next_to_a_denied_range_are_allowed(address: str) -> None:
    assert category(address) == "allowed"


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_checked_by_its_inner_address(address: IPv4Address) -> None:
    assert category(wrapped(address)["v4-mapped"]) == category(address)


@given(st.ip_addresses(v=4))
def test_only_mapping_carries_a_public_ipv4_address(address: IPv4Address) -> None:
    forms = wrapped(address)
    del forms["v4-mapped"]
    assert {category(worn) for worn in forms.values()} == {"private address"}


@given(
    st.ip_addresses(v=6).filter(
        lambda address: address not in IPv6Network("2000::/3") and not address.ipv4_mapped
    )
)
def test_there_is_no_public_ipv6_but_2000(address: IPv6Address) -> None:
    assert category(address) == "private address"


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_allowed(address: Address) -> None:
    if getattr(address, "ipv4_mapped", None):
        return  # judged by the inner one, which Python does not do in every version
    if address.is_private or address.is_multicast or address.is_reserved or address.is_link_local:
        assert category(address) == "private address"


OPENED = (
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "::1/128",
    "fc00::/7",
)


def test_allow_private_opens_private_networks_and_nothing_else() -> None:
    rule = Addresses(allow_private=True, own=not_own)
    opened = [ip_network(text) for text in OPENED]
    for network in opened:
        assert (category(network[0], rule=rule), category(network[-1], rule=rule)) == ("allowed", "allowed")
    for end in (*ENDS_IPV4, *ENDS_IPV6):
        if not any(end in network for network in opened):
            assert category(end, rule=rule) == "private address", end
    assert category("::ffff:10.0.0.1", rule=rule) == "allowed"
    assert category("::ffff:169.254.169.254", rule=rule) == "private address"
    assert category("64:ff9b::10.0.0.1", rule=rule) == "private address"


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "::ffff:169.254.169.254", "fe80::a9fe:a9fe", "168.63.129.16", "192.0.0.192"),
        *("100.100.100.200", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:c1::a9fe:a9fe"),
        "fd00:42::42",
    ],
)
def test_allow_private_does_not_open_metadata_addresses(address: str) -> None:
    assert category(address, 80, Addresses(allow_private=True, own=not_own)) == "private address"


@pytest.mark.parametrize("allow_private", [False, True])
def test_networks_of_the_operator_are_always_denied(allow_private: bool) -> None:
    denied = (ip_network("198.41.0.0/24"), ip_network("2606:4700::/32"), ip_network("10.9.0.0/16"))
    rule = Addresses(denied, allow_private, own=not_own)
    for address in ("198.41.0.4", "::ffff:198.41.0.4", "2606:4700::1111", "10.9.0.1"):
        assert category(address, rule=rule) == "denied by the operator"
    assert category("198.41.1.4", rule=rule) == "allowed"


def test_a_public_address_of_this_machine_is_denied() -> None:
    rule = Addresses(own=lambda address: str(address) == "198.41.0.4")
    assert category("198.41.0.4", 8080, rule) == "this server"
    assert category("::ffff:198.41.0.4", 8080, rule) == "this server"
    assert category("198.41.0.5", 8080, rule) == "allowed"


def test_allow_private_does_not_open_ports_of_this_instance() -> None:
    rule = Addresses(allow_private=True, own_ports=(8123,), own=lambda address: address.is_loopback)
    for address in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
        assert category(address, 8123, rule) == "this server"
        assert category(address, 8124, rule) == "allowed"
    assert category("10.0.0.1", 8123, rule) == "allowed"


def test_this_machine_knows_its_own_addresses() -> None:
    mine = {
        one.address
        for addresses in psutil.net_if_addrs().values()
        for one in addresses
        if one.family in (2, 10) and "%" not in one.address
    }
    assert {address for address in mine if not is_own(ip_address(address))} == set()
    assert is_own(ip_address("127.200.0.1"))
    assert [
        text for text in ("1.1.1.1", "10.255.255.254", "2606:4700::1111") if is_own(ip_address(text))
    ] == []


def test_an_address_that_cannot_be_checked_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise a worker without free descriptors would reach its own addresses."""

    def fails(code: int) -> None:
        def no_socket(*_: object) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(addresses.socket, "socket", no_socket)

    for code in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EACCES):
        fails(code)
        with pytest.raises(OSError, match=os.strerror(code)) as error:
            Addresses().check(ip_address("198.41.0.4"), 443)
        assert not isinstance(error.value, Denied)
    fails(errno.EAFNOSUPPORT)
    assert not is_own(ip_address("2606:4700::1111"))
