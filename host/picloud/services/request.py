"""request: the raw body of the request that a script answers."""

from __future__ import annotations

from collections.abc import Mapping

from picloud.sandbox.abi import HostFunction
from picloud.services.call_context import Call


async def body(call: Call) -> bytes:
    """The body as it came, empty when there is none."""
    return call.body


def host_functions() -> Mapping[str, HostFunction]:
    """By import name."""
    return {"request_body": body}
