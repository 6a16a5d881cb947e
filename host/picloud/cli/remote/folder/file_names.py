"""File names for scripts, valid on all file systems."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import PurePath

SUFFIX = ".rhai"

_MAX_BYTES = 100
_DEVICES = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10)))
)
"""Names that Windows reserves for devices, with any suffix."""


def file_names(scripts: Iterable[str], taken: Mapping[str, str]) -> dict[str, str]:
    """Choose a file for each script.

    Args:
        scripts: names of the scripts.
        taken: script name -> existing file; these are kept.

    Returns:
        Script name -> file, sorted by name. No two files differ only in case or Unicode normalization. A new
        file is in the folder itself, is visible, and is neither a device nor looks like an option.
    """
    names = sorted(scripts)
    chosen = {name: taken[name] for name in names if name in taken}
    used = {_folded(file) for file in chosen.values()}
    # Names that are valid file names come first, so that they keep their name.
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
    """Report whether a file can be a script: it ends in `.rhai`, and no part of its path is hidden."""
    path = PurePath(file)
    return path.name.endswith(SUFFIX) and not any(part.startswith(".") for part in path.parts)


def script_name(file: str) -> str:
    """Return the name of a script without an entry from its file name."""
    return unicodedata.normalize("NFC", file.removesuffix(SUFFIX))


def _stem(name: str) -> str:
    """Return the name if it is a valid file name, else a similar one."""
    stem = unicodedata.normalize("NFC", name)
    stem = "".join(one if one.isalnum() or one in "_- ." else "_" for one in stem)
    stem = stem.encode()[:_MAX_BYTES].decode(errors="ignore").lstrip("-. ").rstrip(". ")
    # NFKC: Windows takes COM¹ for COM1.
    if not stem or _folded(stem.partition(".")[0]).rstrip() in _DEVICES:
        stem = f"script-{stem}".rstrip("-")
    return stem


def _folded(file: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", file).casefold())
