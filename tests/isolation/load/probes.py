"""Probes: what other clients meet while a server is attacked."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.isolation.load.attacks import QUIET

_INTERVAL_SECONDS = 0.02
_PATIENCE_SECONDS = 20.0


@dataclass(slots=True)
class Latencies:
    """Latencies of one kind of request, in milliseconds.

    Attributes:
        values: of all requests; one without a response has the time until it ended.
        failed: how many had no response, or another status than 200.
    """

    values: list[float] = field(default_factory=list)
    failed: int = 0

    def percentile(self, percent: float) -> float:
        """Return a percentile (nearest rank); NaN without values."""
        ranked = sorted(self.values)
        return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)] if ranked else math.nan


def requests(token: str) -> Mapping[str, bytes]:
    """Return the requests of the probes by their names; each makes a new connection."""
    end = "Connection: close\r\n\r\n"
    return {
        "another app": f"GET /cached HTTP/1.1\r\nHost: {QUIET}\r\n{end}".encode(),
        "admin API": (
            "GET /api/v1/admin/apps/quiet HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {token}\r\n{end}"
        ).encode(),
        "/healthz": f"GET /healthz HTTP/1.1\r\nHost: localhost\r\n{end}".encode(),
    }


async def probe(port: int, token: str, seconds: float) -> dict[str, Latencies]:
    """Send the requests of each probe one after the other for some seconds."""
    end = time.monotonic() + seconds

    async def one(request: bytes) -> Latencies:
        found = Latencies()
        while time.monotonic() < end:
            began = time.perf_counter()
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    ok = await _ask(port, request)
            except (OSError, EOFError, TimeoutError):
                ok = False
            found.values.append((time.perf_counter() - began) * 1000)
            found.failed += not ok
            await asyncio.sleep(_INTERVAL_SECONDS)
        return found

    asked = requests(token)
    return dict(zip(asked, await asyncio.gather(*map(one, asked.values())), strict=True))


async def _ask(port: int, request: bytes) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return (await reader.read()).startswith(b"HTTP/1.1 200 ")
    finally:
        writer.close()
