"""The host functions of time, random and request."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from picloud.core.errors import ServiceError
from picloud.core.interface import LIMITS, HostFunction
from picloud.services.call_context import Call
from picloud.services.service import Service, no_admin

MAX_RANDOM = LIMITS.number("max_random_bytes")


async def now(_call: Call) -> int:
    """Return milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


async def random_bytes(_call: Call, count: int) -> bytes:
    """Return random bytes of the operating system.

    Args:
        count: 1 to 65,536.

    Raises:
        ServiceError: the count is out of range.
    """
    if not 1 <= count <= MAX_RANDOM:
        raise ServiceError(f"n must be from 1 to {MAX_RANDOM}")
    return os.urandom(count)


async def body(call: Call) -> bytes:
    """Return the input of the execution, such as the body of a request; empty if there is none."""
    return call.input.data


def host_functions() -> Mapping[str, HostFunction]:
    """The host functions by import name."""
    return {"time_now": now, "random_bytes": random_bytes, "request_body": body}


SERVICE: Service[None, None] = Service(
    name="builtins",
    make=lambda _given: None,
    admin=no_admin,
    host_functions=lambda _: host_functions(),
    local=lambda _given: host_functions(),
)
