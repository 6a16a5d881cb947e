"""Opaque tokens: 32 random bytes of which only the SHA-256 is stored."""

from __future__ import annotations

import hashlib
import secrets

SESSION_PREFIX = "pis_"
KEY_PREFIX = "pic_"
SESSION_COOKIE = "picloud_session"
SESSION_COOKIE_SECURE = "__Host-picloud_session"
"""Over https: the prefix keeps other hosts from setting it (RFC 6265bis, section 4.1.3.2)."""


def new_token(prefix: str = "") -> str:
    """Make a token.

    Args:
        prefix: tells people and secret scanners what it is.

    Returns:
        The prefix and 43 URL-safe characters.
    """
    return prefix + secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """What is stored of a token: 256 random bits need no slow hash.

    Args:
        token: any text, also what no token can be.

    Returns:
        32 bytes.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def bearer_token(authorization: str | None) -> str | None:
    """Take the token out of an Authorization header.

    Args:
        authorization: the header's value, or None where there is none.

    Returns:
        The token, or None when this is no bearer header.
    """
    if authorization is None or authorization[:7].lower() != "bearer ":
        return None
    return authorization[7:].strip()


def is_platform_credential(authorization: str) -> bool:
    """Tell whether an Authorization header holds a token of PiCloud's own, which no script may see.

    Args:
        authorization: the header's value.

    Returns:
        True for a session token or an API key, good or not.
    """
    token = bearer_token(authorization)
    return token is not None and token.startswith((SESSION_PREFIX, KEY_PREFIX))
