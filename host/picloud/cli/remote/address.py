"""Addresses of servers, in the normalized form used as keys of stored logins."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from picloud.cli.exits import wrong_use

DEFAULT = "http://localhost:8123"
_PORTS = {"http": 80, "https": 443}


def normalise(text: str) -> str:
    """Normalize the address of a server.

    Args:
        text: `https://cloud.example.com`, `cloud.example.com` or `localhost:8123`, optionally with a path.

    Returns:
        Scheme, lowercase host, port unless it is the default, and path without a slash at the end. The
        default scheme is https, or http for this machine.

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
        raise wrong_use("an address must not contain a username or password")
    if parts.query or parts.fragment:
        raise wrong_use(f"{text!r} must not have a query or fragment")
    shown = f"[{host}]" if ":" in host else host
    place = shown if port in (None, _PORTS[scheme]) else f"{shown}:{port}"
    return f"{scheme}://{place}{parts.path.rstrip('/')}"


def is_loopback(host: str) -> bool:
    """Report whether a host (lowercase, without brackets and port) is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_safe(url: str) -> bool:
    """Report whether it is safe to send a token to a normalized URL: https, or this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")
