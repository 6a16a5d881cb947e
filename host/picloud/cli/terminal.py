"""What the commands print: plain text, coloured only where a person reads it."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TextIO

_LAYOUT = "\n\t"


def fail(line: str) -> None:
    """Print an error on standard error. Args: line: a sentence; control characters are escaped."""
    print(f"{paint('picloud:', '31', sys.stderr)} {plain(line, keep=_LAYOUT)}", file=sys.stderr)


def plain(text: str, keep: str = "") -> str:
    r"""Make visible what would steer the terminal, or turn the direction of writing around.

    Args:
        text: from anywhere; what others wrote may be shown here.
        keep: control characters that stay, such as newlines.

    Returns:
        The text with escapes such as `\x1b` in their place.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character
        if character in keep or not steers(character)
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def json_text(value: object, indent: int | None = None) -> str:
    """JSON in which what would steer the terminal is escaped, as JSON escapes it.

    Args:
        value: what JSON can say.
        indent: spaces a level; None for one line.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if text.isascii() and "\x7f" not in text:  # `json` has escaped the others
        return text
    return "".join(f"\\u{ord(one):04x}" if one != "\n" and steers(one) else one for one in text)


def steers(character: str) -> bool:
    """Whether a character steers the terminal, or turns the direction of writing around."""
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(
        character
    ) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def paint(text: str, code: str, stream: TextIO | None = None) -> str:
    """Colour a text where the stream is a terminal and NO_COLOR is not set.

    Args:
        text: what to colour.
        code: an SGR code, such as "1" for bold or "2" for dim.
        stream: where it will be written; standard output when None.
    """
    colours = (stream or sys.stdout).isatty() and not os.environ.get("NO_COLOR")
    return f"\x1b[{code}m{text}\x1b[0m" if colours else text


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, separated by two spaces.

    Args:
        header: one title per column.
        rows: one text per column each.
    """
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([paint(text[0], "1"), *text[1:]])


def bar(value: float, longest: float, width: int = 30) -> str:
    """A bar whose length is to `width` as `value` is to `longest`, in eighths of a character.

    Args:
        value: what it shows.
        longest: the value of a full bar; more than zero.
        width: characters of a full bar.
    """
    eighths = round(max(0.0, min(1.0, value / longest)) * width * 8)
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]
