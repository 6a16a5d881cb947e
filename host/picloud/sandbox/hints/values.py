"""Hints for values of the wrong type: operands, absent values, conditions, constants."""

from __future__ import annotations

import re

from picloud.sandbox.hints.missing_call import MissingCall, not_found
from picloud.sandbox.hints.place import Place

_GETTER = re.compile(r"Unknown property '(\w+)' - a getter is not registered for type '\(\)'")
_SETTER = re.compile(r"No writable property '(\w+)' - a setter is not registered for type '\(\)'.*")
_INDEXER = re.compile(r"Indexer unavailable: \(\) \[.*\](?: = .*)?")
_CONSTANT = re.compile(
    r"(?:Cannot modify constant (\w+)|Non-pure method '\w+' cannot be called on constant.*)"
)
_TYPES = re.compile(r"Data type incorrect: (\S+) \(expecting (\w+)\)")
_IN_PLACE = (
    "trim",
    "replace",
    "push",
    "sort",
    "reverse",
    "pad",
    "insert",
    "append",
    "clear",
    "truncate",
)
_ABSENT = "() means that a value is absent"
_BLOCK = re.compile(r"\blet\s{1,9}(\w{1,64})\s{0,9}=\s{0,9}\{\s{0,9}\}")


def hint(message: str, place: Place) -> str | None:
    """Return a hint for a value of the wrong type, or None."""
    call = not_found(message)
    if call is not None:
        if call.is_operator or (call.name == "contains" and place.after.startswith("in")):
            return _operator(call, place)
        return _absent_method(place) if call.types[:1] == ("()",) else None
    if found := _GETTER.fullmatch(message):
        if whole := _absent(place):
            return f"{whole}, so it has no property {found[1]}; {place.base()}?.{found[1]} is () then"
        return _absent_method(place)
    if _SETTER.fullmatch(message) or _INDEXER.fullmatch(message):
        base = place.base()
        if base and (block := _BLOCK.search(place.source)) and block[1] == base:
            return f"{{}} is an empty block, and {base} is (); an empty map is #{{}}"
        return f"{_absent(place)}; create it first: {base} = #{{}}" if base else _ABSENT
    if found := _CONSTANT.fullmatch(message):
        name = found[1] or place.base() or "value"
        return f"change a copy: let copy = {name}"
    if found := _TYPES.fullmatch(message):
        return _mismatch(found[1], found[2])
    return (
        "use for key in map.keys(), or for i in 0..n" if message == "For loop expects iterable type" else None
    )


def _absent(place: Place) -> str | None:
    """Name the value before the place, which is `()`."""
    base = place.base()
    if base is None:
        return None
    return f"{base} is (), it does not exist yet" if set(base) & set(".[") else f"{base} is ()"


def _absent_method(place: Place) -> str:
    """Say which value before a method is `()`."""
    if (call := place.receiver_call()) in _IN_PLACE:
        return f"{call} changes the value in place and returns (): call it first, then use the value"
    if call is not None:
        return f"{call}(...) returned (); ?. instead of . returns () then, too"
    return _absent(place) or _ABSENT


def _operator(call: MissingCall, place: Place) -> str | None:
    left, right = place.operands()
    if "()" in call.types:
        value = left if call.types[0] == "()" and len(call.types) > 1 else right
        if value is None:
            return _ABSENT
        what = f"{value} is (), it does not exist yet" if set(value) & set(".[") else f"{value} is ()"
        if place.assigned() == value:
            start = '""' if call.types[-1] == "string" else "[]" if call.types[-1] == "array" else "0"
            return f"{what}; start with a value: {value} = ({value} ?? {start}) {call.name} ..."
        return f"{what}; {value} ?? 0 is 0 then" if call.name != "!" else f"{what}; write {value} == ()"
    if call.name == "!":
        return "! takes a bool; compare the value: value == 0, text.is_empty()"
    if call.name == "*" and "string" in call.types:
        return 'pad repeats: let line = ""; line.pad(3, "x"); and parse_int(text) makes a number of a text'
    if call.name == "*" and "array" in call.types:
        return "pad repeats: let list = []; list.pad(3, 0);"
    if call.name == "%" and call.types[0] == "string":
        return "use `text ${value}` in backticks"
    if call.name == "contains":
        return "in searches arrays, maps (keys), strings and ranges"
    if call.name == "+" and call.types[0] == "array":
        return "use list.push(value), or list + [value]"
    if call.name == "+" and call.types[0] == "map":
        return "use map.key = value, or map + #{ key: value }"
    if "string" in call.types and call.name in ("-", "/", "%", "**"):
        return "convert it first: parse_int(text) or parse_float(text)"
    if "bool" in call.types:
        return "a bool is not a number: if condition { 1 } else { 0 }"
    return None


def _mismatch(given: str, expected: str) -> str | None:
    if expected == "bool":
        tests = {
            "()": "value != ()",
            "string": '!text.is_empty(), or text != ""',
            "array": "!list.is_empty()",
        }
        return f"a condition must be a bool; compare the value: {tests.get(given, 'value != 0')}"
    if (given, expected) == ("string", "integer"):
        return "an index is an integer: list[0]; a map has keys: #{ key: value }"
    if (given, expected) == ("integer", "string"):
        return "keys of a map are strings: map[`${number}`]"
    return None
