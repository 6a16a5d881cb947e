"""Who sent a request, and to which host: from the socket, or from the proxies that are trusted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple, Protocol, cast

from aiohttp import hdrs, web

Network = IPv4Network | IPv6Network

_HOPS = 32  # looked at: no chain of proxies is longer
_WITH_PORT = re.compile(r"\[([^\[\]]*:[^\[\]]*)\](?::\d{1,5})?|([^:]*):\d{1,5}", re.ASCII)
_SCHEMES = ("http", "https")
_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")


class Peer(NamedTuple):
    """The other end of a request.

    Attributes:
        address: the client's IP address, in the one way it is written; empty where the socket has none.
        scheme: what the client speaks, "http" or "https".
        host: the authority the client asked, name and perhaps port, as it was sent; may be empty.
    """

    address: str
    scheme: str
    host: str


class Proxies:
    """The proxies whose word is taken for who the client is."""

    def __init__(self, trusted: Sequence[Network] = ()) -> None:
        """Make it. Args: trusted: their networks."""
        self._trusted = tuple(trusted)

    def trust(self, address: str) -> bool:
        """Whether one of them has this address. Args: address: as `plain_address` writes it."""
        return bool(self._trusted and address) and self._are(ip_address(address))

    def client(self, forwarded_for: str, address: str) -> tuple[str, int]:
        """Follow a chain of proxies to the client.

        Args:
            forwarded_for: the values of X-Forwarded-For, each hop behind the one before it.
            address: of the proxy that is connected, which is trusted.

        Returns:
            The last hop that is not trusted, or as far as the chain can be read, and how many proxies
            are between it and this server.
        """
        proxies = 0
        for hop in reversed(forwarded_for.rsplit(",", _HOPS)[-_HOPS:]):
            said = _parse(hop)
            proxies += 1
            if said is None:
                break
            address = str(said)
            if not self._are(said):
                break
        return address, proxies

    def _are(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)


class _PeerConnection(Protocol):
    """What is asked of a request's connection (see `connection.py`)."""

    address: str
    proxies: Proxies | None  # where the socket's peer is one of them


_PEER = web.RequestKey("peer", Peer)


def peer(request: web.BaseRequest) -> Peer:
    """Tell who sent a request; it is worked out once and kept on the request.

    `X-Forwarded-For`, `-Proto` and `-Host` count only where a trusted proxy is connected; `Forwarded`
    (RFC 7239) never does, so that there is one way to say it.

    Args:
        request: any request.

    Returns:
        Where the proxies are not trusted, or say nothing, what the socket and the Host header say
        (which is that of the target, where that was a whole URL; see `head.py`).
    """
    known = request.get(_PEER)
    if known is None:
        known = request[_PEER] = _read(request)
    return known


def _read(request: web.BaseRequest) -> Peer:
    connection = cast("_PeerConnection", request.protocol)
    proxies = connection.proxies
    if proxies is None:
        return Peer(connection.address, "http", request.headers.get(hdrs.HOST, ""))
    headers = request.headers
    forwarded_for = ",".join(headers.getall("X-Forwarded-For", ()))
    address, hops = proxies.client(forwarded_for, connection.address)
    scheme = _said(",".join(headers.getall("X-Forwarded-Proto", ())), hops).lower()
    host = _said(",".join(headers.getall("X-Forwarded-Host", ())), hops)
    return Peer(address, scheme if scheme in _SCHEMES else "http", host or headers.get(hdrs.HOST, ""))


def is_proxied(request: web.BaseRequest) -> bool:
    """Tell whether a request was passed on for someone whose address is not known.

    Args:
        request: any request.

    Returns:
        False where the client itself is connected, as far as can be seen, and where a trusted proxy
        says who the client is.
    """
    connection = cast("_PeerConnection", request.protocol)
    if connection.proxies is not None and "X-Forwarded-For" in request.headers:
        return False
    return any(header in request.headers for header in _FORWARDED)


def plain_address(text: str) -> str:
    """Write an address in one way.

    Args:
        text: of a socket, or as it stands in X-Forwarded-For.

    Returns:
        Without port, brackets and zone; an IPv4 address that is mapped into IPv6 as IPv4; empty where
        it is no IP address (a Unix socket has none).
    """
    address = _parse(text)
    return "" if address is None else str(address)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    text = text.strip(" \t")
    with_port = _WITH_PORT.fullmatch(text)
    if with_port is not None:
        text = with_port[1] or with_port[2] or ""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))  # without its zone


def _said(values: str, hops: int) -> str:
    """What the outermost trusted proxy said; the nearest where not each has added to the list."""
    listed = values.rsplit(",", _HOPS)
    return listed[-hops if hops <= len(listed) else -1].strip(" \t")
