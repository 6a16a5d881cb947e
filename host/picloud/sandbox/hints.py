"""Hints for errors of a script: what the author could have meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from picloud.core.interface import Interface

_NOT_FOUND = re.compile(r"Function not found: ([\w:]+) \(((?:\(\)|[^()])*)\)")
_STRING = "&str | ImmutableString | String"
"""The interpreter's type name of a string literal."""
_NOT_JSON = {
    f"a value of type {kind} cannot be written as JSON": hint
    for kind, hint in {
        "file": "return #{ statusCode: 200, body: file }",
        "blob": "convert it with base64::encode, or return #{ statusCode: 200, body: blob }",
    }.items()
}


@dataclass(frozen=True, slots=True)
class _Known:
    """The functions of one namespace in interface.toml: name -> signature.

    Attributes:
        functions: called as `namespace::name`.
        methods: called on its collections.
    """

    functions: Mapping[str, str]
    methods: Mapping[str, str]


def hinted(message: str) -> str:
    """Add a hint to an error, if there is one.

    Args:
        message: an error of the guest.

    Returns:
        The message with the type names of `type_of` and a hint; any other message unchanged.
    """
    if message in _NOT_JSON:
        return f"{message}; {_NOT_JSON[message]}"
    if (found := _NOT_FOUND.match(message)) is None:
        return message
    name, types = found[1], found[2].replace(_STRING, "string").split(", ")
    text = f"Function not found: {name} ({', '.join(types)}){message[found.end() :]}"
    hint = _hint(name, types[0])
    return f"{text}; {hint}" if hint else text


def _hint(name: str, first: str) -> str | None:
    namespace, colons, function = name.rpartition("::")
    if colons and namespace in _known():
        known = _known()[namespace]
        if function in known.methods and function not in known.functions:
            return f"use {namespace}::collection(name).{known.methods[function]}"
        return _nearest(function, known.functions, f"{namespace}::", namespace)
    namespace = first.removesuffix("::collection")
    if namespace != first and namespace in _known():
        return _nearest(name, _known()[namespace].methods, "", "it")
    return "() means that a value is absent" if first == "()" else None


def _nearest(name: str, known: Mapping[str, str], prefix: str, whose: str) -> str:
    """Suggest the function with the closest name, else list all names."""
    if near := get_close_matches(name, known, 1):
        return f"use {prefix}{known[near[0]]}"
    return f"{whose} has {', '.join(sorted(known))}"


@cache
def _known() -> dict[str, _Known]:
    functions: dict[str, dict[str, str]] = {}
    for entry in Interface.load().functions:
        functions.setdefault(entry.namespace, {})[entry.name] = entry.signature
    return {
        namespace: _Known({"collection": named.pop("collection")}, named)
        if "collection" in named
        else _Known(named, {})
        for namespace, named in functions.items()
    }
