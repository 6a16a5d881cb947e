"""Addresses of clients."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network


def rate_limit_key(address: str) -> str:
    """What an address is counted under: itself, or of IPv6 the network of 64 bits, which one client has.

    Args:
        address: as `http.peer.plain_address` writes it; empty where there is none.
    """
    if ":" not in address:
        return address
    return str(IPv6Network((int(IPv6Address(address)) >> 64 << 64, 64)))
