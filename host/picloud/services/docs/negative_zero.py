"""-0.0 in documents.

jsonb has no negative zero, but keeps how many digits a number has after its point. So -0.0 is stored as
0.00, which no other float is written as, by the guest and by `write_json` for users. It sorts and compares
as any zero.
"""

from __future__ import annotations

import re

STORED = "0.00"
"""How -0.0 is stored. The guest has the same (`sdk-bindings/src/envelope.rs`)."""

_STORED_NUMBER = re.compile(r"(?<![0-9.+\-eE])0\.00(?![0-9.eE])")


def restore(text: str) -> str:
    """Return JSON of jsonb with every -0.0 as JSON writes it.

    Args:
        text: JSON as PostgreSQL writes it.
    """
    if STORED not in text:
        return text
    pieces, copied, quotes = [], 0, 0
    for found in _STORED_NUMBER.finditer(text):
        between = text[copied : found.start()]
        quotes += _count_quotes(between)
        pieces += [between, found[0] if quotes % 2 else "-0.0"]
        copied = found.end()
    return "".join([*pieces, text[copied:]])


def _count_quotes(text: str) -> int:
    """Count the quotes that begin or end a string. Args: text: does not begin after a backslash."""
    if "\\" in text:
        text = text.replace("\\\\", "").replace('\\"', "")
    return text.count('"')
