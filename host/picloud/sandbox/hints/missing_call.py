"""The signature in the message of a function that was not found: `name (types)`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NOT_FOUND = re.compile(r"Function not found: (\S{1,200}) \(((?:\(\)|[^()])*)\)")


@dataclass(frozen=True, slots=True)
class MissingCall:
    """A call of a function that does not exist.

    Attributes:
        name: its name, with namespace; an operator such as `+`; or `anon$...` for a closure.
        types: types of the arguments; of a method, the first is that of the value before the dot.
    """

    name: str
    types: tuple[str, ...]

    @property
    def is_operator(self) -> bool:
        """Whether it is an operator."""
        return not re.match(r"[A-Za-z_]", self.name)


def not_found(message: str) -> MissingCall | None:
    """Return the signature in the message, or None if it is another error."""
    found = _NOT_FOUND.fullmatch(message)
    return found and MissingCall(found[1], tuple(filter(None, found[2].split(", "))))
