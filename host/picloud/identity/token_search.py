r"""Finds PiCloud tokens in text, however a request spells them. Scripts and their records must not get these.

A token can be written as it is, percent-encoded (also more than once, in a path, a query or a form), with the
escapes of JSON (`\u0070`) or HTML (`&#112;`), and in base64, as in `Authorization: Basic`. No decoder changes
the characters of tokens, so decoding all that can be decoded, again and again, ends with the token itself.
"""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote

from picloud.identity.tokens import KEY, KEY_PREFIX, SESSION_PREFIX, SESSION_TOKEN

MAX_ROUNDS = 8
"""Rounds of decoding; a text that still changes after them is taken for one that holds a token."""
LONGEST_SPELLING = 2048
"""Characters that a token, encoded twice, does not exceed."""

_PREFIXES = (SESSION_PREFIX, KEY_PREFIX)
_TOKEN = re.compile(rf"{SESSION_TOKEN}|{KEY}|bearer[\s+]+(?:{'|'.join(_PREFIXES)})", re.ASCII | re.IGNORECASE)
_BASIC = re.compile(r"basic\s+([a-z0-9+/=_-]+)", re.ASCII | re.IGNORECASE)
_PERCENT = re.compile(r"%(?:25)+(?=[0-9a-f]{2})", re.IGNORECASE)  # encoded n times: %25 and n - 1 times 25
_BACKSLASHES = re.compile(r"\\{2,}")
_ESCAPED = re.compile(
    r"%u([0-9a-f]{4})"
    r"|\\(?:u([0-9a-f]{4})|x([0-9a-f]{2})|u\{0*([0-9a-f]{1,6})\}|([nrt]))"  # RFC 8259, 7; Rhai, JavaScript
    r"|&\#x0*([0-9a-f]{1,6});?|&\#0*([0-9]{1,7});?|&amp(;)",
    re.ASCII | re.IGNORECASE,
)
_LINE_END, _DECIMAL, _AMPERSAND = 5, 7, 8  # groups of _ESCAPED that are not hexadecimal
_LINE_ENDS = {"n": "\n", "r": "\r", "t": "\t"}


def _base64_marks() -> dict[str, int]:
    """Return what base64 makes of a prefix after 0 to 2 other bytes, and its place in a group of four."""
    marks = {}
    for prefix in _PREFIXES:
        for others in range(3):
            written = base64.b64encode(bytes(others) + prefix.encode()).decode()
            # Only characters of which all six bits are of the prefix.
            start, end = -(-others * 8 // 6), (others + len(prefix)) * 8 // 6
            marks[written[start:end]] = start
    return marks


_BASE64_MARKS = _base64_marks()
_BASE64_MARK = re.compile("|".join(_BASE64_MARKS))
_BASE64 = re.compile(r"[A-Za-z0-9+/_\s-]{60,200}", re.ASCII)
_TO_STANDARD = str.maketrans("-_", "+/", " \t\r\n\v\f")


def holds_token(text: str) -> bool:
    """Return whether a text contains a token of PiCloud, valid or not, in any encoding of a request.

    Args:
        text: any part of a request, a response or a record: a name, a value, or all of it.

    Returns:
        True when it contains a session token or an API key, or an incomplete one after "Bearer".
    """
    return _may_hold(text) and _holds(text)


def _may_hold(text: str) -> bool:
    """Return whether a text contains a mark of any spelling. Most texts do not; seeing that costs little."""
    lower = text.lower()
    return (
        "pis_" in lower
        or "pic_" in lower
        or "%" in text
        or "\\" in text
        or "basic" in lower
        or "&#" in text
        or "&amp;" in text
        or "cGl" in text  # every base64 mark contains one of these; a regular expression takes twice as long
        or "Bp" in text
        or "WNf" in text
        or "XNf" in text
    )


def _holds(text: str) -> bool:
    for _ in range(MAX_ROUNDS):
        if _TOKEN.search(text) is not None or _holds_in_base64(text):
            return True
        decoded = text
        if "%" in text:  # RFC 3986, 2.1
            decoded = unquote(_PERCENT.sub("%", text), "latin-1")
        if "\\\\" in decoded:
            decoded = _BACKSLASHES.sub(r"\\", decoded)
        if "\\" in decoded or "&" in decoded or "%u" in decoded:
            decoded = _ESCAPED.sub(_decode, decoded)
        if decoded == text:
            return False
        text = decoded
    return True


def _decode(match: re.Match[str]) -> str:
    kind = match.lastindex or 0
    digits = match[kind]
    if kind == _LINE_END:
        return _LINE_ENDS[digits.lower()]
    if kind == _AMPERSAND:
        return "&"
    code = int(digits, 10 if kind == _DECIMAL else 16)
    return chr(code) if code <= 0x10FFFF else "\ufffd"


def _holds_in_base64(text: str) -> bool:
    for mark in _BASE64_MARK.finditer(text):
        start = mark.start() - _BASE64_MARKS[mark[0]]
        run = _BASE64.match(text, start) if start >= 0 else None
        if run is not None and _TOKEN.search(_from_base64(run[0])):
            return True
    # What clients put into Basic can be encoded itself.
    return any(_may_hold(inner) and _holds(inner) for inner in map(_from_base64, _BASIC.findall(text)))


def _from_base64(text: str) -> str:
    """Decode base64 of either alphabet, with or without padding and line breaks; empty if it is not any."""
    text = text.translate(_TO_STANDARD).rstrip("=")
    text = text[: len(text) - (len(text) % 4 == 1)]
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4)).decode("latin-1")
    except binascii.Error:
        return ""
