"""Opaque tokens: 32 random bytes of which only the SHA-256 is stored."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets

SESSION_PREFIX = "pis_"
SESSION_TOKEN = SESSION_PREFIX + "[A-Za-z0-9_-]{43}"
"""The form of a session's token, as a regular expression."""
KEY_PREFIX = "pic_"
KEY_PREFIX_LENGTH = 8
KEY = KEY_PREFIX + "[a-z2-7]{52}"
"""The form of an API key, as a regular expression; its first characters find its row."""
_ANY = re.compile(rf"{SESSION_TOKEN}|{KEY}|(?i:bearer)\s+(?:{SESSION_PREFIX}|{KEY_PREFIX})", re.ASCII)
SESSION_COOKIE = "picloud_session"
SESSION_COOKIE_SECURE = "__Host-picloud_session"
"""Over https: the prefix keeps other hosts from setting it (RFC 6265bis, section 4.1.3.2)."""
SESSION_COOKIES = frozenset({SESSION_COOKIE, SESSION_COOKIE_SECURE})
"""No script sees them, and none sets them."""


def new_token(prefix: str = "") -> str:
    """Make a token.

    Args:
        prefix: tells people and secret scanners what it is.

    Returns:
        The prefix and 43 URL-safe characters.
    """
    return prefix + secrets.token_urlsafe(32)


def new_key() -> str:
    """Make an API key: `pic_` and 32 random bytes in base32, 52 characters that survive any input field."""
    return KEY_PREFIX + base64.b32encode(secrets.token_bytes(32)).decode().rstrip("=").lower()


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


def holds_token(text: str) -> bool:
    """Tell whether a text holds a token of PiCloud's own, good or not, which no script may see.

    Args:
        text: of a request: a header's value, or one cookie.

    Returns:
        True wherever in the text a session token or an API key stands, as a bearer's also a broken one.
    """
    return (SESSION_PREFIX in text or KEY_PREFIX in text) and _ANY.search(text) is not None
