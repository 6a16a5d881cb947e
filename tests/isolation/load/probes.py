"""Probes: what other clients meet while a server is attacked."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.isolation.load.attacks import QUIET

_PATIENCE_SECONDS = 20.0
_counts = itertools.count()


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


@dataclass(frozen=True, slots=True)
class Probe:
    """Requests that are sent one after the other, again and again, each on a new connection.

    Attributes:
        requests: by their names in the table; `{count}` in a body is another number each time.
        interval: seconds from one round to the next.
    """

    requests: Mapping[str, Callable[[int], bytes]]
    interval: float = 0.02


def probes(owner: str, script_id: str) -> Sequence[Probe]:
    """Return the probes.

    Args:
        owner: a token of the owner.
        script_id: the script of the route `/first` of the app that is probed.
    """
    cached = _request("GET", "/cached", QUIET)
    return (
        Probe({"another app": lambda _: cached}),
        Probe({"admin API": lambda _: _request("GET", "/api/v1/admin/apps/quiet", "localhost", owner)}),
        Probe({"/healthz": lambda _: _request("GET", "/healthz", "localhost")}),
        Probe(
            {
                "save": lambda count: _request(
                    "PATCH", f"/api/v1/admin/scripts/{script_id}", "localhost", owner, {"source": f"{count}"}
                ),
                "first run": lambda _: _request("GET", "/first", QUIET),
            },
            interval=0.3,
        ),
    )


def _request(method: str, path: str, host: str, token: str = "", body: object = None) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


async def measure(port: int, probes: Iterable[Probe], seconds: float) -> dict[str, Latencies]:
    """Send the requests of all probes for some seconds. Returns: their latencies by name."""
    end = time.monotonic() + seconds
    found: dict[str, Latencies] = {name: Latencies() for probe in probes for name in probe.requests}

    async def run(probe: Probe) -> None:
        while time.monotonic() < end:
            for name, request in probe.requests.items():
                began = time.perf_counter()
                try:
                    async with asyncio.timeout(_PATIENCE_SECONDS):
                        ok = await _ask(port, request(next(_counts)))
                except (OSError, EOFError, TimeoutError):
                    ok = False
                found[name].values.append((time.perf_counter() - began) * 1000)
                found[name].failed += not ok
            await asyncio.sleep(probe.interval)

    await asyncio.gather(*map(run, probes))
    return found


async def _ask(port: int, request: bytes) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return (await reader.read()).startswith(b"HTTP/1.1 200 ")
    finally:
        writer.close()
