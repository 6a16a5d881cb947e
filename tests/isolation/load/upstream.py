"""A server that scripts call: its answer is a gzip body of empty blocks without end. It prints its port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

from tests.acceptance.running import end_with_parent
from tests.isolation.load.attacks import EMPTY_BLOCKS, GZIP_HEAD, NICENESS, chunk


@contextlib.contextmanager
def upstream() -> Iterator[int]:
    """Run it in a process of its own; yields the port."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__], stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, EOFError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(chunk(GZIP_HEAD))
        while True:
            writer.write(chunk(EMPTY_BLOCKS))
            await writer.drain()
            await asyncio.sleep(0)
    writer.close()


async def _main() -> None:
    os.nice(NICENESS)
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
