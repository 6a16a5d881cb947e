"""Light requests and the admin API beside scripts that only compute: latency before and during."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

import aiohttp
import pytest
from benches.server import HOST, Server

HEAVY, LIGHT, REQUESTS = 16, 16, 60
SANDBOX = {"max_operations": 10_000_000, "max_fuel": 50_000_000_000, "max_host_calls": 100_000}
HOSTILE = {
    "endless loops": "loop { }",
    "growing strings": 'let s = "ab"; loop { s += s; }',
    "log floods": 'let s = ""; s.pad(200000, "x"); loop { log::info(s); }',
    "host calls": "loop { time::now_ms(); }",
}


async def latencies(
    session: aiohttp.ClientSession, url: str, headers: dict[str, str], at_once: int
) -> list[float]:
    """Seconds of each request of `at_once` clients that each make `REQUESTS`, one after the other."""
    seconds: list[float] = []

    async def client() -> None:
        for _ in range(REQUESTS):
            began = time.perf_counter()
            async with session.get(url, headers=headers) as response:
                await response.read()
                assert response.status == 200, response.status
            seconds.append(time.perf_counter() - began)

    await asyncio.gather(*(client() for _ in range(at_once)))
    return seconds


async def compute(session: aiohttp.ClientSession, url: str) -> None:
    """Keep one script computing."""
    while True:
        async with session.get(url) as response:
            await response.read()


async def measure(server: Server, token: str) -> list[tuple[str, list[float], list[float]]]:
    base = f"http://{HOST}:{server.port}"
    admin = {"Authorization": f"Bearer {token}"}
    local = {"Host": "localhost"}
    cases = [
        (f"{LIGHT} light clients", f"{base}/hello", local, LIGHT),
        ("the admin API", f"{base}/api/v1/admin/apps", admin, 1),
    ]
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=local) as session:
        for _, url, headers, at_once in cases:
            await latencies(session, url, headers, at_once)
        quiet = [await latencies(session, url, headers, at_once) for _, url, headers, at_once in cases]
        heavy = [asyncio.create_task(compute(session, f"{base}/hostile")) for _ in range(HEAVY)]
        await asyncio.sleep(1)
        busy = [await latencies(session, url, headers, at_once) for _, url, headers, at_once in cases]
        for task in heavy:
            task.cancel()
        await asyncio.gather(*heavy, return_exceptions=True)
    return [(case[0], before, during) for case, before, during in zip(cases, quiet, busy, strict=True)]


@pytest.mark.parametrize("name", HOSTILE)
def test_light_beside_hostile(name: str, tmp_path: Path, report: Callable[[str, str, str], None]) -> None:
    server = Server(tmp_path / "data", 2)
    server.add_route("/hostile", HOSTILE[name], SANDBOX)
    results = asyncio.run(measure(server, server.token()))
    server.stop()
    for what, before, during in results:
        p99 = [quantiles(seconds, n=100)[98] for seconds in (before, during)]
        p50 = [median(seconds) for seconds in (before, during)]
        change = [f"{a * 1e3:.1f} -> {b * 1e3:.1f} ms" for a, b in (p50, p99)]
        figures = f"p99 {p99[1] / p99[0]:.1f}x  p50 {change[0]}, p99 {change[1]}"
        report(f"{what} beside {HEAVY} {name}", figures, "<= 10x")
