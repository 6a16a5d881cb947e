"""Hints for errors of a script: what the author could have meant.

Each part knows one kind of error. It gets the message and the place in the source, and returns a hint or
None. Sources are hostile: every search is over a bounded text, with bounded repetitions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from picloud.sandbox.hints import calls, closures, races, syntax, values, variables
from picloud.sandbox.hints.place import Place
from picloud.sandbox.outcome import ScriptError

_SUFFIX = re.compile(r" \(in (?:function (\w+)|a closure)\)$")


_NO_MODULES: Mapping[str, bytes] = {}


def hinted(
    error: ScriptError, source: bytes = b"", modules: Mapping[str, bytes] = _NO_MODULES
) -> ScriptError:
    """Add a hint to an error, if there is one.

    Args:
        error: an error of the guest.
        source: the script.
        modules: sources of its modules, by name.

    Returns:
        The error with a hint in its message; an error without a hint, or with a thrown value, unchanged.
    """
    if error.thrown is not None:
        return error
    text = source if error.module is None else modules.get(error.module, b"")
    source_text = text.decode(errors="replace")
    found = _SUFFIX.search(error.message)
    message, suffix = (error.message[: found.start()], found[0]) if found else (error.message, "")
    if error.line is None and (located := races.locate(message, source_text)):
        error = replace(error, line=located[0], column=located[1])
    place = Place(source_text, error.line, error.column)
    message = closures.named(message, place, found[1] if found else None)
    for kind in (closures, calls, values, variables, races, syntax):
        if hint := kind.hint(message, place):
            return replace(error, message=f"{message}{suffix}; {hint}")
    return replace(error, message=message + suffix)
