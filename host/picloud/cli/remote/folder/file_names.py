"""File names for scripts: any name a script can have, any file system it may be written to."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import PurePath

SUFFIX = ".rhai"

_MAX_BYTES = 100
_DEVICES = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10)))
)
"""What Windows takes for a device, with any suffix."""


def file_names(scripts: Iterable[str], taken: Mapping[str, str]) -> dict[str, str]:
    """Choose a file for each script.

    Args:
        scripts: their names; any text.
        taken: script name -> file it has already; those are kept.

    Returns:
        Script name -> file, in the order of the names. Two never differ in case or accents' spelling only,
        and a new one lies in the folder itself, is visible, and is no device and no option.
    """
    names = sorted(scripts)
    chosen = {name: taken[name] for name in names if name in taken}
    used = {_folded(file) for file in chosen.values()}
    # Those that can be called as they are come first, so that no other takes their place.
    for name in sorted(names, key=lambda name: (_stem(name) != name, name)):
        if name in chosen:
            continue
        stem = _stem(name)
        file, number = stem + SUFFIX, 1
        while _folded(file) in used:
            number += 1
            file = f"{stem}-{number}{SUFFIX}"
        used.add(_folded(file))
        chosen[name] = file
    return {name: chosen[name] for name in names}


def is_script_file(file: str) -> bool:
    """Whether a script may be in a file: it ends in `.rhai`, and neither it nor a folder above it is hidden.

    Args:
        file: relative to the project's folder.
    """
    path = PurePath(file)
    return path.name.endswith(SUFFIX) and not any(part.startswith(".") for part in path.parts)


def script_name(file: str) -> str:
    """The name of a script that has a file and no entry. Args: file: its name, with the suffix."""
    return unicodedata.normalize("NFC", file.removesuffix(SUFFIX))


def _stem(name: str) -> str:
    """The name itself where it can be a file's, else one like it."""
    stem = unicodedata.normalize("NFC", name)
    stem = "".join(one if one.isalnum() or one in "_- ." else "_" for one in stem)
    stem = stem.encode()[:_MAX_BYTES].decode(errors="ignore").lstrip("-. ").rstrip(". ")
    # NFKC: Windows takes COM¹ for COM1.
    if not stem or _folded(stem.partition(".")[0]).rstrip() in _DEVICES:
        stem = f"script-{stem}".rstrip("-")
    return stem


def _folded(file: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", file).casefold())
