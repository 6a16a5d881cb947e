"""Atomic writes of files, and strings for TOML."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from picloud.cli.terminal import json_text

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def write_whole(file: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file atomically: readers, also after a crash, see the old content or the new one.

    Args:
        file: in an existing folder; a link is replaced, not followed.
        data: the content.
        mode: permissions, reduced by the umask.
    """
    handle, name = tempfile.mkstemp(prefix=f".{file.name[:50]}.", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(mode & ~_umask())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def toml_text(text: str) -> str:
    """Return a TOML string; characters that control the terminal are escaped."""
    return json_text(text)


def toml_key(name: str) -> str:
    """Return a TOML key, bare if possible."""
    return name if _BARE.fullmatch(name) else toml_text(name)
