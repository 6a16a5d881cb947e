"""Addresses of servers, in the one form that credentials are kept under."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from picloud.cli.exits import wrong_use

DEFAULT = "http://localhost:8123"
_PORTS = {"http": 80, "https": 443}


def normalise(text: str) -> str:
    """Read an address as people write it.

    Args:
        text: `https://cloud.example.com`, `cloud.example.com`, `localhost:8123`; a path may follow.

    Returns:
        Scheme, lower-case host, a port only where it is not the scheme's own, no slash at the end.
        Without a scheme it is https, but for this machine http.

    Raises:
        Failure: it is not the address of a server.
    """
    full = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(full)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise wrong_use(f"{text!r} is not the address of a server") from None
    scheme = parts.scheme.lower()
    if "://" not in text and is_loopback(host):
        scheme = "http"
    if (
        scheme not in _PORTS
        or not host
        or any(not character.isprintable() or character == " " for character in full)
    ):
        raise wrong_use(f"{text!r} is not an http:// or https:// address")
    if "@" in parts.netloc:
        raise wrong_use("an address must not hold a user name or password")
    if parts.query or parts.fragment:
        raise wrong_use(f"{text!r} has a query or fragment, which no server's address has")
    shown = f"[{host}]" if ":" in host else host
    place = shown if port in (None, _PORTS[scheme]) else f"{shown}:{port}"
    return f"{scheme}://{place}{parts.path.rstrip('/')}"


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine. Args: host: lower case, without brackets and port."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_safe(url: str) -> bool:
    """Tell whether a credential may go there: over https, or without leaving this machine.

    Args:
        url: as returned by `normalise`.
    """
    parts = urlsplit(url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")
