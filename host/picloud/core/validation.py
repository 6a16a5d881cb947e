"""Checks of names and descriptions."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from picloud.core.errors import Invalid

MAX_NAME, MAX_DESCRIPTION = 128, 4096


def check_name(name: str) -> None:
    """Refuse a name that is empty, too long, or cannot be seen.

    Args:
        name: for people.

    Raises:
        Invalid: it has not 1 to `MAX_NAME` characters, begins or ends with a space, or has control
            characters.
    """
    if not 1 <= len(name) <= MAX_NAME or name != name.strip():
        raise Invalid(f"a name must have 1 to {MAX_NAME} characters and no surrounding spaces", field="name")
    if any(unicodedata.category(character).startswith("C") for character in name):
        raise Invalid("a name must not contain control characters", field="name")


def check_description(description: str) -> None:
    """Refuse a description that is too long.

    Args:
        description: free text.

    Raises:
        Invalid: it has more than `MAX_DESCRIPTION` characters.
    """
    if len(description) > MAX_DESCRIPTION:
        raise Invalid(f"a description can have at most {MAX_DESCRIPTION} characters", field="description")


def refuse_null(patch: Mapping[str, object], *names: str) -> None:
    """Refuse a merge patch that would clear what cannot be empty.

    Args:
        patch: fields to change.
        names: those that always have a value.

    Raises:
        Invalid: one of them is null.
    """
    for name in names:
        if name in patch and patch[name] is None:
            raise Invalid(f"{name} cannot be null", field=name)
