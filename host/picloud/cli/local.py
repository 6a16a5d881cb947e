"""An executor for this process only: with in-memory services and without a recorder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from picloud.config import Settings
from picloud.execution.admission import Admission
from picloud.execution.executor import Executor
from picloud.identity.tokens import SESSION_COOKIES
from picloud.sandbox.cache import ImageCache
from picloud.sandbox.engine import Engine
from picloud.sandbox.sandbox import Sandbox
from picloud.sandbox.threads import Threads
from picloud.services import SERVICES
from picloud.services.service import Local, local_functions


@asynccontextmanager
async def executor(settings: Settings, local: Local | None = None, slots: int = 8) -> AsyncIterator[Executor]:
    """Open an executor, and close it at the end of the block.

    Args:
        settings: limits and cache sizes.
        local: the content of the services; None for empty services.
        slots: maximum concurrent executions.
    """
    local = local or Local()
    engine = Engine(_cache_folder(), slots, settings.ceilings["memory_limit_mb"])
    threads = Threads(2)
    try:
        images = ImageCache(settings.script_cache_size, settings.script_cache_mb)
        async with local.closing:
            functions = local_functions(SERVICES, local, engine.interface)
            sandbox = Sandbox(engine, images, threads, functions, SESSION_COOKIES)
            yield Executor(Admission(slots, slots), sandbox, None)
    finally:
        threads.close()
        engine.close()


def _cache_folder() -> Path:
    """Return the folder that caches the guest's machine code, which takes seconds to compile."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "picloud"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="picloud-"))
    return folder if os.access(folder, os.W_OK) else Path(tempfile.mkdtemp(prefix="picloud-"))
