"""Hints for variables that do not exist."""

from __future__ import annotations

import re
from difflib import get_close_matches

from picloud.sandbox.hints import namespaces
from picloud.sandbox.hints.habits import MEMBERS, VARIABLES
from picloud.sandbox.hints.place import Place

_NOT_FOUND = re.compile(r"Variable not found: (\w{1,64})")
_METHOD = re.compile(r"\w+\s*\.\s*(\w+)")
_DECLARED = re.compile(r"\b(?:let|const|for)\s{1,9}\(?(\w{1,64})")


def hint(message: str, place: Place) -> str | None:
    """Return a hint for a missing variable, or None."""
    found = _NOT_FOUND.fullmatch(message)
    if found is None:
        return None
    name = found[1]
    if called := _METHOD.match(place.after):
        if member := MEMBERS.get(f"{name}.{called[1]}"):
            return member
        if name in namespaces.NAMES:
            return namespaces.method(name, called[1])
    if re.search(rf"\bconst\s{{1,9}}{name}\b", place.source):
        return f"a function reads constants of its script as global::{name}"
    if name == "ctx" or re.search(rf"\blet\s{{1,9}}{name}\b", place.source):
        return f"a function sees only its parameters; pass {name} as a parameter, or use a closure |x| ..."
    if name in VARIABLES:
        return VARIABLES[name]
    if re.match(r"\w+\s*=[^=>]", place.after):
        return f"declare it first: let {name} = ..."
    near = get_close_matches(name, set(_DECLARED.findall(place.source)[-200:]), 1, cutoff=0.75)
    return f"did you mean {near[0]}?" if near else None
