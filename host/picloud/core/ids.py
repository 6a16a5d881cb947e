"""Ids as they stand in URLs."""

from __future__ import annotations

from uuid import UUID


def parse_id(text: str) -> UUID | None:
    """Read an id as PiCloud writes it.

    Args:
        text: any text.

    Returns:
        The id, or None when it is none; other spellings UUIDs have (braces, urn:) are none either.
    """
    if len(text) != 36:
        return None
    try:
        id_ = UUID(text)
    except ValueError:
        return None
    return id_ if str(id_) == text.lower() else None


def first_id_of(seconds: float) -> UUID:
    """The least UUIDv7 of a moment: ids begin with their time, so an index of ids is one of times.

    Args:
        seconds: since 1970-01-01 UTC.
    """
    return UUID(int=max(0, int(seconds * 1000)) << 80)
