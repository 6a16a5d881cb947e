"""The addresses that scripts can reach: the public internet, without this server and denied addresses.

The denied ranges are the non-global ones of the IANA special-purpose address registries (RFC 6890 and its
updates), and Azure's host address. `ipaddress.is_global` is wrong for several of them.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Collection, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

from picloud.services.outbound.errors import Denied

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

DENIED_IPV4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "168.63.129.16/32",
    )
)

PUBLIC_IPV6 = IPv6Network("2000::/3")
"""The public internet, without NAT64, local, link-local and multicast addresses."""

DENIED_IPV6 = tuple(
    IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3ffe::/16", "3fff::/20")
)

PRIVATE: tuple[Network, ...] = (
    *map(IPv4Network, ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")),
    *map(IPv6Network, ("::1/128", "fc00::/7")),
)
"""Networks that PICLOUD_HTTP_ALLOW_PRIVATE opens, except `METADATA`."""

METADATA: tuple[Network, ...] = (
    IPv4Network("100.100.100.200/32"),
    *map(IPv6Network, ("fd00:42::42/128", "fd00:c1::/32", "fd00:ec2::/32", "fd20:ce::/32")),
)
"""Metadata addresses of clouds outside the link-local range: Alibaba, Scaleway, Oracle, AWS, Google."""

_ISATAP = (0x00005EFE, 0x02005EFE)


def is_own(address: Address) -> bool:
    """Return whether an address belongs to this machine.

    To reach its own address, the kernel uses the same address as the source. Asking the kernel avoids a list
    that could be out of date. Nothing is sent.

    Raises:
        OSError: the kernel cannot be asked, for example because there are no free descriptors.
    """
    if address.is_loopback:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        asked = socket.socket(family, socket.SOCK_DGRAM)
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:  # a machine without IPv6 has no such address
            return False
        raise
    with asked:
        try:
            asked.connect((str(address), 9))
        except OSError:  # not reachable, so not of this machine
            return False
        return ip_address(asked.getsockname()[0].partition("%")[0]) == address


class Addresses:
    """The rule for addresses that scripts can reach."""

    def __init__(
        self,
        denied: Sequence[Network] = (),
        allow_private: bool = False,
        own_ports: Collection[int] = (),
        own: Callable[[Address], bool] = is_own,
    ) -> None:
        """Create the rule.

        Args:
            denied: further networks that the operator denies.
            allow_private: allow the networks of `PRIVATE`, and this machine except `own_ports`.
            own_ports: ports on which this instance listens.
            own: returns whether an address belongs to this machine.
        """
        self._denied, self._allow_private = tuple(denied), allow_private
        self._own_ports, self._own = frozenset(own_ports), own

    def check(self, address: Address, port: int) -> None:
        """Check that a connection to an address is allowed.

        Args:
            address: literal or looked up; IPv4 inside IPv6 (`::ffff:0:0/96`) is checked as IPv4.
            port: TCP port.

        Raises:
            Denied: it is denied.
            OSError: it is unknown whether it belongs to this machine.
        """
        inner = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        address = inner or address
        if any(address in network for network in self._denied):
            raise Denied("denied by the operator", "by the operator")
        opened = self._allow_private and _is_private(address)
        if not opened and not _is_public(address):
            raise Denied("private address")
        if self._own(address) and (not self._allow_private or port in self._own_ports):
            raise Denied("this server")


def _is_private(address: Address) -> bool:
    in_private = any(address in network for network in PRIVATE)
    return in_private and not any(address in network for network in METADATA)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in DENIED_IPV4)
    if int(address) >> 32 & 0xFFFFFFFF in _ISATAP:  # a tunnel (RFC 5214) to the IPv4 address in the last bits
        return False
    return address in PUBLIC_IPV6 and not any(address in network for network in DENIED_IPV6)
