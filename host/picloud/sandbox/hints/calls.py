"""Hints for functions and methods that do not exist."""

from __future__ import annotations

import re
from difflib import get_close_matches

from picloud.sandbox.hints import namespaces
from picloud.sandbox.hints.habits import FUNCTIONS, METHODS
from picloud.sandbox.hints.missing_call import MissingCall, not_found
from picloud.sandbox.hints.place import Place

_KNOWN = {
    "string": "bytes chop clear contains crop ends_with get index_of is_empty len make_lower make_upper pad "
    "pop remove replace set split split_rev starts_with sub_string to_blob to_chars to_lower to_upper trim "
    "truncate",
    "array": "all append chop clear contains dedup drain extract filter find find_map for_each get index_of "
    "insert is_empty len map pad pop push reduce reduce_rev remove retain reverse set shift some sort splice "
    "split truncate zip",
    "map": "clear contains drain fill_with filter get is_empty keys len mixin remove retain set to_json "
    "values",
    "integer": "abs is_even is_odd is_zero parse_int sign to_binary to_float to_hex to_octal to_string",
    "float": "abs ceiling cos exp floor fraction int is_finite is_infinite is_nan ln log round sign sin sqrt "
    "tan to_degrees to_int to_radians to_string",
}
_METHODS = {kind: names.split() for kind, names in _KNOWN.items()}
_PROPERTY = re.compile(r"Unknown property '(\w+)' - a getter is not registered for type '([^']*)'")
_NAMESPACE = re.compile(r"Module not found: (\w{1,64})")
_NOT_JSON = {
    f"a value of type {kind} cannot be written as JSON": hint
    for kind, hint in {
        "file": "return #{ statusCode: 200, body: file }",
        "blob": "convert it with base64::encode, or return #{ statusCode: 200, body: blob }",
    }.items()
}


def hint(message: str, place: Place) -> str | None:
    """Return a hint for a missing function, method or module, or None."""
    if message in _NOT_JSON:
        return _NOT_JSON[message]
    if found := _PROPERTY.fullmatch(message):
        return _method(found[1], found[2], "parentheses")
    if found := _NAMESPACE.fullmatch(message):
        near = get_close_matches(found[1], namespaces.NAMES, 1)
        return f"did you mean {near[0]}::?" if near else f'import it first: import "{found[1]}" as m;'
    call = not_found(message)
    return None if call is None or call.is_operator else _call(call, place)


def _call(call: MissingCall, place: Place) -> str | None:
    if suggested := namespaces.suggest(call.name, call.types[0] if call.types else ""):
        return suggested
    if "::" in call.name:
        return None
    name = re.escape(call.name)
    if defined := re.search(rf"\bfn\s{{1,9}}{name}\s{{0,9}}\(([^)]{{0,500}})\)", place.source):
        parameters = [one.strip() for one in defined[1].split(",") if one.strip()]
        count = f"{len(parameters)} argument{'' if len(parameters) == 1 else 's'}"
        return f"{call.name} takes {count}: {call.name}({', '.join(parameters)})"
    is_method = place.before.rstrip().endswith(".")
    if call.types and (is_method or call.name not in FUNCTIONS):
        return _method(call.name, call.types[0], "call") or FUNCTIONS.get(call.name)
    return FUNCTIONS.get(call.name)


def _method(name: str, kind: str, missing: str) -> str | None:
    """Suggest a method of a type. `missing` is "parentheses" if it was used like a property."""
    if habit := METHODS.get(kind, {}).get(name):
        return habit
    known = _METHODS.get(kind, [])
    if missing == "parentheses" and name in known:
        return f"a method needs parentheses: .{name}()"
    near = get_close_matches(name, known, 1, cutoff=0.75)
    return f"use .{near[0]}(...)" if near and near[0] != name else None
