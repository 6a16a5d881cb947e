"""Opaque tokens: 32 random bytes. Only the SHA-256 is stored."""

from __future__ import annotations

import base64
import hashlib
import secrets

SESSION_PREFIX = "pis_"
SESSION_TOKEN = SESSION_PREFIX + "[A-Za-z0-9_-]{43}"
"""Regular expression of a session token."""
KEY_PREFIX = "pic_"
KEY_PREFIX_LENGTH = 8
KEY = KEY_PREFIX + "[a-z2-7]{52}"
"""Regular expression of an API key; its first characters identify its row."""
SESSION_COOKIE = "picloud_session"
SESSION_COOKIE_SECURE = "__Host-picloud_session"
"""Over https: the prefix keeps other hosts from setting it (RFC 6265bis, section 4.1.3.2)."""
SESSION_COOKIES = frozenset({SESSION_COOKIE, SESSION_COOKIE_SECURE})
"""Scripts can neither read nor set these cookies."""


def new_token(prefix: str = "") -> str:
    """Create a token.

    Args:
        prefix: shows people and secret scanners what it is.

    Returns:
        The prefix and 43 URL-safe characters.
    """
    return prefix + secrets.token_urlsafe(32)


def new_key() -> str:
    """Create an API key: `pic_` and 32 random bytes as 52 base32 characters, safe in any input field."""
    return KEY_PREFIX + base64.b32encode(secrets.token_bytes(32)).decode().rstrip("=").lower()


def token_hash(token: str) -> bytes:
    """Return the stored hash of a token. 256 random bits need no slow hash.

    Args:
        token: any string, also one that is not a token.

    Returns:
        32 bytes.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def bearer_token(authorization: str | None) -> str | None:
    """Return the token of an Authorization header.

    Args:
        authorization: the header's value, or None when it is missing.

    Returns:
        The token, or None when the scheme is not Bearer.
    """
    if authorization is None or authorization[:7].lower() != "bearer ":
        return None
    return authorization[7:].strip()
