"""Recognizes names of secrets, such as `password` or `X-Api-Key`, however they are spelled."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SHORT = 4  # letters; a shorter name is found as a whole word only: "card" is not in "discard"
_MAX_NAME, _MAX_KNOWN = 256, 4096  # characters of names that are remembered, and their number

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD = re.compile(r"[^\W_]+")


class SecretNames:
    """A list of names of secrets."""

    def __init__(self, names: Iterable[str]) -> None:
        """Create a list.

        Args:
            names: names of secrets, such as "password" or "api_key". Case and separators are ignored, so
                "api_key" also means `apiKey` and `X-Api-Key`. A name of up to four letters matches whole
                words only.
        """
        spelled = [_compact(_words(name)) for name in names]
        self._long = tuple(name for name in spelled if len(name) > _SHORT)
        self._short = frozenset(name for name in spelled if 0 < len(name) <= _SHORT)
        self._known: dict[str, bool] = {}  # most names come again and again

    def match(self, name: str) -> bool:
        """Return whether a name looks like that of a secret."""
        known = self._known.get(name)
        if known is None:
            known = self._looks_secret(name)
            if len(name) <= _MAX_NAME:
                if len(self._known) >= _MAX_KNOWN:
                    self._known.clear()
                self._known[name] = known
        return known

    def _looks_secret(self, name: str) -> bool:
        words = _words(name)
        compact = _compact(words)
        if any(known in compact for known in self._long):
            return True
        return not self._short.isdisjoint(
            (compact, *words, *(word.removesuffix("s") for word in words if len(word) > 1))
        )


def _words(name: str) -> list[str]:
    """Split a name at separators and at capitals within words, as in `cardNumber`."""
    return _WORD.findall(_HUMP.sub(" ", name).lower())


def _compact(words: list[str]) -> str:
    return "".join(words)
