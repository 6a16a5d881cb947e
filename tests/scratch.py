"""Where tests put databases."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ENOUGH = 2 * 1024**3


def scratch_folder(mode: int) -> Path:
    """A fresh folder with a short path, in memory where there is plenty: a cluster is a thousand small files.

    Not pytest's own temporary folder: that one is 0700, and below it a root's server is another user's.
    """
    memory = _MEMORY if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH else None
    path = Path(tempfile.mkdtemp(prefix="picloud-tests-", dir=memory)).resolve()
    path.chmod(mode)
    return path
