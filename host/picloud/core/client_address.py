"""Addresses of clients."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network


def rate_limit_key(address: str) -> str:
    """The key to count an address under: IPv4 as it is, IPv6 by its /64 network, which one client owns.

    Args:
        address: as `http.peer.normalize_address` writes it; empty if unknown.
    """
    if ":" not in address:
        return address
    return str(IPv6Network((int(IPv6Address(address)) >> 64 << 64, 64)))
