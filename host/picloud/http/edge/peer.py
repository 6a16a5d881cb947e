"""The client and host of a request: from the socket, or from headers set by trusted proxies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple, Protocol, cast

from aiohttp import hdrs, web

Network = IPv4Network | IPv6Network

_HOPS = 32  # more than any real chain of proxies
_WITH_PORT = re.compile(r"\[([^\[\]]*:[^\[\]]*)\](?::\d{1,5})?|([^:]*):\d{1,5}", re.ASCII)
_SCHEMES = ("http", "https")
_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")
_ANY_PROXY = (
    *_FORWARDED,
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Original-Forwarded-For",
    "X-Envoy-External-Address",
    "CF-Connecting-IP",
    "CF-Ray",
    "True-Client-IP",
    "Fastly-Client-IP",
    "Fly-Client-IP",
    "CDN-Loop",
)


class Peer(NamedTuple):
    """The client of a request, and the host it requested.

    Attributes:
        address: the client's IP address, normalized; empty for a Unix socket.
        scheme: "http" or "https", as the client connected.
        host: the requested authority (name and optional port) as sent; may be empty.
    """

    address: str
    scheme: str
    host: str


class Proxies:
    """The trusted proxies, by network."""

    def __init__(self, trusted: Sequence[Network] = ()) -> None:
        self._trusted = tuple(trusted)

    def trust(self, address: str) -> bool:
        """Report whether an address, written as by `normalize_address`, is a trusted proxy."""
        return bool(self._trusted and address) and self._is_trusted(ip_address(address))

    def client(self, forwarded_for: str, address: str) -> tuple[str, int]:
        """Follow a chain of proxies to the client.

        Args:
            forwarded_for: the values of X-Forwarded-For, joined in order.
            address: of the connected proxy, which is trusted.

        Returns:
            The last untrusted hop (or the last one that is valid), and the number of proxies between it
            and this server.
        """
        proxies = 0
        for hop in reversed(forwarded_for.rsplit(",", _HOPS)[-_HOPS:]):
            parsed = _parse(hop)
            proxies += 1
            if parsed is None:
                break
            address = str(parsed)
            if not self._is_trusted(parsed):
                break
        return address, proxies

    def _is_trusted(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)


class _PeerConnection(Protocol):
    """The part of a connection used here (see `connection.py`)."""

    address: str
    proxies: Proxies | None  # None if the socket's peer is not trusted


_PEER = web.RequestKey("peer", Peer)


def peer(request: web.BaseRequest) -> Peer:
    """Return the client of a request; what a proxy's headers say is parsed once and kept on the request.

    `X-Forwarded-For`, `-Proto` and `-Host` are used only from a trusted proxy. `Forwarded` (RFC 7239) is
    always ignored, so that there is one set of headers to configure. Otherwise the socket and the Host header
    are used (`request_head.py` has set Host from an absolute target).
    """
    connection = cast("_PeerConnection", request.protocol)
    proxies = connection.proxies
    if proxies is None:  # nothing to parse: keeping it would cost more than making it
        return Peer(connection.address, "http", request.headers.get(hdrs.HOST, ""))
    known = request.get(_PEER)
    if known is None:
        known = request[_PEER] = _forwarded_peer(request, connection.address, proxies)
    return known


def _forwarded_peer(request: web.BaseRequest, proxy: str, proxies: Proxies) -> Peer:
    headers = request.headers
    forwarded_for = ",".join(headers.getall("X-Forwarded-For", ()))
    address, hops = proxies.client(forwarded_for, proxy)
    scheme = _forwarded_value(",".join(headers.getall("X-Forwarded-Proto", ())), hops).lower()
    host = _forwarded_value(",".join(headers.getall("X-Forwarded-Host", ())), hops)
    return Peer(address, scheme if scheme in _SCHEMES else "http", host or headers.get(hdrs.HOST, ""))


def is_proxied(request: web.BaseRequest) -> bool:
    """Report whether a proxy forwarded the request without a trusted client address.

    Returns:
        False if no header shows a proxy, or if a trusted proxy sent the client's address.
    """
    connection = cast("_PeerConnection", request.protocol)
    if connection.proxies is not None and "X-Forwarded-For" in request.headers:
        return False
    return any(header in request.headers for header in _FORWARDED)


def is_local(request: web.BaseRequest) -> bool:
    """Report whether a program on this machine sent the request to this machine, not a proxy for others.

    Returns:
        True if the socket's peer and the Host header are of the loopback, and no header shows a proxy.
    """
    address = cast("_PeerConnection", request.protocol).address
    if not address or not ip_address(address).is_loopback:
        return False
    headers = request.headers
    if any(name.lower().startswith("x-forwarded-") for name in headers):
        return False
    return not any(name in headers for name in _ANY_PROXY) and _is_loopback(headers.get(hdrs.HOST, ""))


def _is_loopback(host: str) -> bool:
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    name = name.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761, 6.3
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def normalize_address(text: str) -> str:
    """Normalize an IP address.

    Args:
        text: from a socket or X-Forwarded-For.

    Returns:
        The address without port, brackets and zone; an IPv4-mapped IPv6 address as IPv4; empty if it is
        not an IP address.
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


def _forwarded_value(values: str, hops: int) -> str:
    """Return the value set by the outermost trusted proxy; the last value if some proxies added none."""
    listed = values.rsplit(",", _HOPS)
    return listed[-hops if hops <= len(listed) else -1].strip(" \t")
