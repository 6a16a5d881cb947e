"""Terminal output of the commands: escaping, color and tables."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TextIO

_LAYOUT = "\n\t"


def fail(line: str) -> None:
    """Print an error to standard error; control characters are escaped."""
    print(f"{paint('picloud:', '31', sys.stderr)} {plain(line, keep=_LAYOUT)}", file=sys.stderr)


def plain(text: str, keep: str = "") -> str:
    r"""Escape characters that control the terminal or the text direction, as `\x1b`.

    Args:
        text: untrusted text.
        keep: control characters to keep, such as newlines.
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
    """Serialize to JSON; characters that control the terminal are escaped.

    Args:
        value: any JSON value.
        indent: spaces per level; None for one line.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if text.isascii() and "\x7f" not in text:  # `json` has escaped the others
        return text
    return "".join(f"\\u{ord(one):04x}" if one != "\n" and steers(one) else one for one in text)


def steers(character: str) -> bool:
    """Report whether a character controls the terminal or the text direction."""
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(
        character
    ) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def paint(text: str, code: str, stream: TextIO | None = None) -> str:
    """Color a text if the stream is a terminal and NO_COLOR is not set.

    Args:
        text: the text.
        code: an SGR code, such as "1" for bold or "2" for dim.
        stream: the stream it is written to; None for standard output.
    """
    colours = (stream or sys.stdout).isatty() and not os.environ.get("NO_COLOR")
    return f"\x1b[{code}m{text}\x1b[0m" if colours else text


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a table: each column as wide as its widest cell, separated by two spaces."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([paint(text[0], "1"), *text[1:]])


def bar(value: float, longest: float, width: int = 30) -> str:
    """Draw a bar of `value / longest * width` characters, in eighths; `longest` must be positive."""
    eighths = round(max(0.0, min(1.0, value / longest)) * width * 8)
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]
