"""Hints for closures that are called with the wrong number of arguments, or like functions."""

from __future__ import annotations

import re

from picloud.sandbox.hints.missing_call import not_found
from picloud.sandbox.hints.place import Place, split_arguments

_CLOSURE = re.compile(r"\|([^|]{0,200})\|")
_CALLERS = {
    "map": "the element, or the element and its index",
    "filter": "the element, or the element and its index",
    "some": "the element, or the element and its index",
    "all": "the element, or the element and its index",
    "find": "the element, or the element and its index",
    "index_of": "the element, or the element and its index",
    "find_map": "the element, or the element and its index",
    "retain": "the element, or the element and its index",
    "drain": "the element, or the element and its index",
    "for_each": "nothing (the element is `this`), or the index",
    "reduce": "the result and the element, or also the index",
    "reduce_rev": "the result and the element, or also the index",
    "sort": "two elements",
    "dedup": "two elements",
}


def named(message: str, place: Place, function: str | None) -> str:
    """Return the message with words instead of the internal name of a closure.

    Args:
        message: the message.
        place: where the closure was called.
        function: the array function that called it, or None.
    """
    call = not_found(message)
    if call is None or not call.name.startswith("anon$"):
        return message
    # Captured variables come first in the signature, so the source is asked first.
    given = None if function else place.arguments()
    if given is None or not place.after.startswith("call"):
        return "a closure was called with another number of arguments than it takes"
    return f"a closure was called with {_count(len(given))}"


def hint(message: str, place: Place) -> str | None:
    """Return a hint for a closure, or None."""
    if message.startswith("a closure was called with "):
        return _arity(place)
    call = not_found(message)
    if call is None or not re.fullmatch(r"[A-Za-z_]\w*", call.name) or place.before.rstrip().endswith("."):
        return None
    name = re.escape(call.name)
    is_variable = re.search(
        rf"\b(?:let|const)\s{{1,9}}{name}\s{{0,9}}="
        rf"|\bfn\s{{1,9}}\w{{1,64}}\s{{0,9}}\([^()]{{0,200}}\b{name}\b"
        rf"|\|[^|\n]{{0,200}}\b{name}\b[^|\n]{{0,200}}\|",
        place.source,
    )
    if is_variable is None or re.search(rf"\bfn\s{{1,9}}{name}\s{{0,9}}\(", place.source):
        return None
    parameters = _parameters_of(call.name, place)
    if parameters is None:
        return f"{call.name} is a variable; call the closure in it with {call.name}.call(...)"
    return (
        f"{call.name} is a closure that takes {_count(len(parameters))}: "
        f"{call.name}.call({', '.join(parameters)})"
    )


def _arity(place: Place) -> str | None:
    """Say what the closure takes, and what its caller passes."""
    name = re.match(r"(\w+)", place.after)
    if name and name[1] == "call":
        variable = re.search(r"([A-Za-z_]\w*)\s*\.\s*$", place.before)
        parameters = _parameters_of(variable[1], place) if variable else None
        if variable is None or parameters is None:
            return "a closure |a, b| takes 2: f.call(a, b)"
        return f"{variable[1]} takes {len(parameters)}: {variable[1]}.call({', '.join(parameters)})"
    # The place of a method call is its name, or the dot before it.
    called = re.match(r"\.?\s*(\w+)\s*\(", place.after)
    if called is None or called[1] not in _CALLERS:
        return None
    rest = place.source_after()
    arguments = split_arguments(rest[rest.index("(") :]) or []
    literal = next((found for one in arguments if (found := _CLOSURE.match(one))), None)
    takes = f"; |{literal[1]}| takes {len(_split(literal[1]))}" if literal else ""
    return f"{called[1]} passes {_CALLERS[called[1]]}{takes}"


def _parameters_of(name: str, place: Place) -> list[str] | None:
    """Return the parameters of the closure that the source assigns to a variable last, or None."""
    found = re.findall(rf"\b{re.escape(name)}\s{{0,9}}[=:]\s{{0,9}}\|([^|]{{0,200}})\|", place.source)
    return _split(found[-1]) if found else None


def _split(parameters: str) -> list[str]:
    return [one.strip() for one in parameters.split(",") if one.strip()]


def _count(number: int) -> str:
    return f"{number} argument{'' if number == 1 else 's'}"
