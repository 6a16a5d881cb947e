"""Integers from the wire: digits, a length and a range, read by one strict function.

`int` accepts signs, spaces, underscores and digits of other scripts, and raises for more than 4,300 digits.
Two servers that read a number differently read different messages, so every number that a client or an
upstream sends goes through `read_integer`.
"""

from __future__ import annotations

import re

_DIGITS = {
    (10, False): re.compile(r"-?[0-9]{1,20}"),
    (10, True): re.compile(r"0|-?[1-9][0-9]{0,19}"),
    (16, False): re.compile(r"[0-9A-Fa-f]{1,16}"),
}


class NotAnInteger(ValueError):
    """The text is not an integer in the required form and range."""


class OutOfRange(NotAnInteger):
    """The text is an integer, but too small or too large."""


def read_integer(
    text: str, minimum: int = 0, maximum: int = (1 << 63) - 1, *, base: int = 10, exact: bool = False
) -> int:
    """Read an integer.

    Args:
        text: 1 to 20 ASCII digits, with base 16 at most 16; a minus sign only if `minimum` is negative.
        minimum: the smallest value.
        maximum: the largest value.
        base: 10 or 16.
        exact: reject leading zeros and "-0", so that a value has one spelling (base 10).

    Raises:
        NotAnInteger: the text has another form.
        OutOfRange: the value is not from `minimum` to `maximum`.
    """
    if _DIGITS[base, exact].fullmatch(text) is None or (minimum >= 0 and text[0] == "-"):
        raise NotAnInteger(f"not an integer: {text[:32]!r}")
    value = int(text, base)
    if not minimum <= value <= maximum:
        raise OutOfRange(f"{value} is not from {minimum} to {maximum}")
    return value
