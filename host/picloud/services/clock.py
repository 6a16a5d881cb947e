"""time and random: what a guest cannot know by itself."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from picloud.core.errors import ServiceError
from picloud.sandbox.abi import HostFunction
from picloud.services.call_context import Call

MAX_RANDOM = 65_536


async def now(_call: Call) -> int:
    """Milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


async def random_bytes(_call: Call, count: int) -> bytes:
    """Bytes of the operating system's generator.

    Args:
        count: 1 to 65,536.

    Raises:
        ServiceError: another count.
    """
    if not 1 <= count <= MAX_RANDOM:
        raise ServiceError(f"n must be from 1 to {MAX_RANDOM}")
    return os.urandom(count)


def host_functions() -> Mapping[str, HostFunction]:
    """Both, by import name."""
    return {"time_now": now, "random_bytes": random_bytes}
