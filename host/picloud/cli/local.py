"""An executor in this process alone: an empty kv in memory, nothing recorded."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from picloud.config import Settings
from picloud.execution.executor import Executor
from picloud.execution.gate import Gate
from picloud.sandbox.cache import ImageCache
from picloud.sandbox.engine import Engine
from picloud.sandbox.sandbox import Sandbox
from picloud.sandbox.threads import Threads
from picloud.services import clock, kv


@contextmanager
def executor(settings: Settings, slots: int = 8) -> Iterator[Executor]:
    """Make an executor and take it down again.

    Args:
        settings: limits and cache sizes.
        slots: how many executions may run at once.
    """
    engine = Engine(_cache_folder(), slots, settings.ceilings["memory_limit_mb"])
    threads = Threads(2)
    try:
        images = ImageCache(settings.script_cache_size, settings.script_cache_mb)
        functions = {**kv.host_functions(kv.MemoryKeyValue()), **clock.host_functions()}
        yield Executor(Gate(slots, slots), Sandbox(engine, images, threads, functions), None)
    finally:
        threads.close()
        engine.close()


def _cache_folder() -> Path:
    """Where the guest's machine code is kept for this user: compiling it takes seconds, once."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "picloud"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="picloud-"))
    return folder if os.access(folder, os.W_OK) else Path(tempfile.mkdtemp(prefix="picloud-"))
