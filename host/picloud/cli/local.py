"""An executor in this process alone: an empty kv in memory, nothing recorded."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from picloud.config import Settings
from picloud.core.interface import HostFunction
from picloud.execution.admission import Admission
from picloud.execution.executor import Executor
from picloud.sandbox.cache import ImageCache
from picloud.sandbox.engine import Engine
from picloud.sandbox.sandbox import Sandbox
from picloud.sandbox.threads import Threads
from picloud.services import builtins
from picloud.services.kv import service as kv
from picloud.services.kv.memory import MemoryKeyValue
from picloud.services.unavailable import with_unavailable_stubs

NOTHING_MORE: Mapping[str, HostFunction] = MappingProxyType({})


@contextmanager
def executor(
    settings: Settings, slots: int = 8, more: Mapping[str, HostFunction] = NOTHING_MORE
) -> Iterator[Executor]:
    """Make an executor and take it down again.

    Args:
        settings: limits and cache sizes.
        slots: how many executions may run at once.
        more: host functions there are besides.
    """
    engine = Engine(_cache_folder(), slots, settings.ceilings["memory_limit_mb"])
    threads = Threads(2)
    try:
        images = ImageCache(settings.script_cache_size, settings.script_cache_mb)
        memory = MemoryKeyValue()
        here = {**kv.host_functions(memory), **builtins.host_functions(), **more}
        functions = with_unavailable_stubs(here, engine.interface)
        yield Executor(Admission(slots, slots), Sandbox(engine, images, threads, functions), None)
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
