"""The attacking process: makes the connections of an attack."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import os
import re
import time

from tests.isolation.load.attacks import NICENESS, Attack

_PAUSE_SECONDS = 0.05  # after a connection that was refused or closed


def run(attack: Attack, port: int, token: str, seconds: float) -> dict[str, int]:
    """Attack for some seconds; returns how often each status came (`closed` without one)."""
    os.nice(NICENESS)
    return asyncio.run(_run(attack, port, token, seconds))


async def _run(attack: Attack, port: int, token: str, seconds: float) -> dict[str, int]:
    statuses: collections.Counter[str] = collections.Counter()
    end = time.monotonic() + seconds
    request = attack.request.replace(b"{token}", token.encode())

    async def connection() -> None:
        while time.monotonic() < end:
            try:
                await _connect(attack, port, request, statuses)
            except (OSError, EOFError):
                statuses["closed"] += 1
            await asyncio.sleep(_PAUSE_SECONDS)

    tasks = [asyncio.create_task(connection()) for _ in range(attack.connections)]
    _, pending = await asyncio.wait(tasks, timeout=seconds)
    for task in pending:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return dict(statuses)


async def _connect(attack: Attack, port: int, request: bytes, statuses: collections.Counter[str]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    reading = asyncio.create_task(_read(reader, statuses))
    try:
        while not reading.done():
            writer.write(request)
            await writer.drain()
            if attack.forever:
                while not reading.done():
                    writer.write(attack.forever)
                    await writer.drain()
                    await asyncio.sleep(0)
                return
            if not await reading:
                return
            reading = asyncio.create_task(_read(reader, statuses))
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _read(reader: asyncio.StreamReader, statuses: collections.Counter[str]) -> bool:
    """Read a response. Returns: whether another can follow on this connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    statuses[head.split(b" ", 2)[1].decode()] += 1
    length = re.search(rb"\r\ncontent-length: (\d+)", head.lower())
    await reader.readexactly(int(length[1]) if length else 0)
    return b"\r\nconnection: close" not in head.lower()
