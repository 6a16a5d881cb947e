"""Checks of names and descriptions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from picloud.core.errors import Invalid
from picloud.core.interface import LIMITS

MAX_NAME, MAX_DESCRIPTION = 128, 4096
MAX_VARIABLE_NAME = LIMITS.number("max_var_name_bytes")
MAX_VARIABLE = LIMITS.number("max_var_value_bytes")
VARIABLE_NAME = rf"[A-Z][A-Z0-9_]{{0,{MAX_VARIABLE_NAME - 1}}}"


def check_name(name: str) -> None:
    """Check a display name: 1 to `MAX_NAME` characters, no surrounding spaces, no control characters.

    Raises:
        Invalid: it is not valid.
    """
    if not 1 <= len(name) <= MAX_NAME or name != name.strip():
        raise Invalid(f"a name must have 1 to {MAX_NAME} characters and no surrounding spaces", field="name")
    if any(unicodedata.category(character).startswith("C") for character in name):
        raise Invalid("a name must not contain control characters", field="name")


def check_description(description: str) -> None:
    """Check the length of a description.

    Raises:
        Invalid: it has more than `MAX_DESCRIPTION` characters.
    """
    if len(description) > MAX_DESCRIPTION:
        raise Invalid(f"a description can have at most {MAX_DESCRIPTION} characters", field="description")


def require_not_null(patch: Mapping[str, object], *names: str) -> None:
    """Check that a merge patch does not set required fields to null.

    Args:
        patch: fields to change.
        names: the required fields.

    Raises:
        Invalid: one of them is null.
    """
    for name in names:
        if name in patch and patch[name] is None:
            raise Invalid(f"{name} cannot be null", field=name)


def check_variable(name: str, value: str) -> None:
    """Check the name and the value of a variable of an app.

    Args:
        name: must match `VARIABLE_NAME`.
        value: at most `MAX_VARIABLE` bytes of UTF-8, without NUL.

    Raises:
        Invalid: one of them is not valid.
    """
    if re.fullmatch(VARIABLE_NAME, name) is None:
        allowed = f"1 to {MAX_VARIABLE_NAME} characters (A to Z, 0 to 9, _)"
        raise Invalid(f"invalid variable name; use {allowed}, starting with a letter", field="name")
    if (size := len(value.encode())) > MAX_VARIABLE:
        raise Invalid(f"the value must have at most {MAX_VARIABLE} bytes, not {size}", field="value")
    if "\0" in value:
        raise Invalid("the value must not contain a NUL character", field="value")
