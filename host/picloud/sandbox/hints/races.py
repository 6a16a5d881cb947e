"""Hints for values that a closure uses while a method changes or reads them."""

from __future__ import annotations

import re

from picloud.sandbox.hints.place import Place, split_arguments

_RACE = re.compile(r"Data race detected(?: on (?:variable '(\w+)'|argument #\d+ of function '(\w+)'))?")
_METHOD = re.compile(r"([A-Za-z_]\w*)\s*\.\s*$")


_MAX_SOURCE, _MAX_CALLS, _MAX_ARGUMENTS = 64 * 1024, 50, 4096


def locate(message: str, source: str) -> tuple[int, int] | None:
    """Return line and column of a data race without a position: of the one call that it can be, or None."""
    found = _RACE.fullmatch(message)
    if found is None or found[2] is None:
        return None
    method = rf"\b([A-Za-z_]\w{{0,63}})\s{{0,9}}\.\s{{0,9}}({found[2]})\("
    calls = re.finditer(method, source[:_MAX_SOURCE])
    places = []
    for call, _ in zip(calls, range(_MAX_CALLS), strict=False):
        start = call.end() - 1
        arguments = split_arguments(source[start : start + _MAX_ARGUMENTS]) or []
        if any(re.search(rf"\b{call[1]}\b", argument) for argument in arguments):
            places.append(call.start(2))
    if len(places) != 1:
        return None
    return source.count("\n", 0, places[0]) + 1, places[0] - source.rfind("\n", 0, places[0])


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
