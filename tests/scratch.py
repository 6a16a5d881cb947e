"""Temporary folders for databases, in memory if there is enough."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ENOUGH = 2 * 1024**3
_PREFIX = "picloud-scratch-"


@contextlib.contextmanager
def scratch_folder(mode: int, suffix: str = "") -> Iterator[Path]:
    """A fresh folder with a short path, removed at the end. In memory: a cluster is a thousand small files.

    Not pytest's own temporary folder: that one is 0700, and below it a root's server is another user's.
    A lock on the folder tells that its process lives; the next run removes what a killed one left behind.

    Args:
        mode: permissions of the folder.
        suffix: end of its name.
    """
    memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH
    parent = _MEMORY if memory else Path(tempfile.gettempdir()).resolve()
    for leftover in parent.glob(f"{_PREFIX}*"):
        _remove_unlocked(leftover)
    path, lock = _locked_folder(parent, suffix)
    try:
        path.chmod(mode)
        yield path
        shutil.rmtree(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def _locked_folder(parent: Path, suffix: str) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(suffix, _PREFIX, parent))
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(path, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():  # or another process found it before it was locked
                return path, lock
            os.close(lock)


def _remove_unlocked(path: Path) -> None:
    with contextlib.suppress(OSError):
        lock = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(lock)
