"""Hints for values that a closure uses while a method changes or reads them."""

from __future__ import annotations

import re

from picloud.sandbox.hints.place import Place

_RACE = re.compile(r"Data race detected(?: on (?:variable '(\w+)'|argument #\d+ of function '(\w+)'))?")
_METHOD = re.compile(r"([A-Za-z_]\w*)\s*\.\s*$")


def hint(message: str, place: Place) -> str | None:
    """Return a hint for a data race, or None."""
    found = _RACE.fullmatch(message)
    if found is None:
        return None
    if variable := found[1]:
        return f"the closure uses {variable} while it is in use; copy it first: let copy = {variable}"
    before = place.before + (re.match(r"\.\s*", place.after) or [""])[0]
    receiver = _METHOD.search(before)
    if receiver is None:
        return "a value is used twice at the same time; copy it first: let copy = value"
    name = receiver[1]
    used = re.search(rf"\b{name}\.(?:len|is_empty|keys|values)\(\)", place.source_after())
    copy = f"let n = {used[0]}" if used else f"let copy = {name}"
    return f"the closure uses {name} while {found[2] or 'a method'} works on it; copy it first: {copy}"
