"""A node of three workers that wake one another, for `test_wake.py`: prints its measurements as JSON.

Worker 0 has the node's one LISTEN, worker 1 is woken, worker 2 commits. Times are in microseconds until the
callback in worker 1: from just before COMMIT is sent, and from when worker 2 knows that it succeeded. The
latter may be less than nothing: NOTIFY does not wait for worker 2.

    python -m benches.wake idle|busy
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import mmap
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles

import asyncpg
import uvloop
from benches.conftest import bench_executor, invocation

from picloud.core.doorbell import Doorbell
from picloud.db.embedded import EmbeddedPostgres
from picloud.db.parameters import ConnectionParameters
from picloud.sandbox.engine import Engine
from tests.scratch import scratch_folder

WAYS = ("listen each", "listen one", "listen one, and a doorbell")
ROUNDS, COMMITS = 12, 20
PAUSE_SECONDS = 0.004  # between two commits, more or less
_LISTENER, _WOKEN, _WRITER = range(3)
_TURN, _WOKEN_AT = 0, 1  # words of the shared page: which commit, when it was heard of


class Node:
    """What the workers share.

    Attributes:
        parameters: the database.
        bells: one for each worker.
        words: the shared page.
        engine_folder: machine code of the guest.
        busy: whether the workers execute scripts meanwhile.
    """

    def __init__(self, parameters: ConnectionParameters, engine_folder: Path, busy: bool) -> None:
        self.parameters, self.engine_folder, self.busy = parameters, engine_folder, busy
        self.bells = [Doorbell() for _ in range(3)]
        self.words = memoryview(mmap.mmap(-1, 4096)).cast("Q")

    def woken(self) -> None:
        """Worker 1 has heard of the commit under way; what comes later says nothing new."""
        if not self.words[_WOKEN_AT]:
            self.words[_WOKEN_AT] = time.monotonic_ns()


async def listener(node: Node) -> None:
    connection = await asyncpg.connect(node.parameters.url)
    await connection.add_listener("one", lambda *_: node.bells[_WOKEN].ring())
    await _work(node)


async def woken(node: Node) -> None:
    connection = await asyncpg.connect(node.parameters.url)
    await connection.add_listener("each", lambda *_: node.woken())
    bell = node.bells[_WOKEN]

    def rung() -> None:
        bell.answer()
        node.woken()

    asyncio.get_running_loop().add_reader(bell.fileno(), rung)
    await _work(node)


async def writer(node: Node, report: int) -> None:
    connection = await asyncpg.connect(node.parameters.url)
    await connection.execute("CREATE TABLE events (id bigserial PRIMARY KEY, body text)")
    load = asyncio.create_task(_work(node))
    await asyncio.sleep(3 if node.busy else 1)  # everybody listens, images are warm
    micros: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way in WAYS:
            for _ in range(COMMITS):
                await asyncio.sleep(random.uniform(0.5, 1.5) * PAUSE_SECONDS)
                micros[way].append(await _commit(node, connection, way))
    load.cancel()
    figures = {}
    for way, values in micros.items():
        cuts = [quantiles(of_one, n=100) for of_one in zip(*values, strict=True)]
        figures[way] = [(cut[49], cut[98]) for cut in cuts]
    os.write(report, json.dumps(figures).encode())


async def _commit(
    node: Node, connection: asyncpg.Connection[asyncpg.Record], way: str
) -> tuple[float, float]:
    """One transaction; returns microseconds until worker 1 heard of it, from before and from after COMMIT."""
    words = node.words
    words[_WOKEN_AT] = 0
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("INSERT INTO events (body) VALUES ('something happened')")
    await connection.execute("SELECT pg_notify($1, 'outbox')", "each" if way == "listen each" else "one")
    began = time.monotonic_ns()
    await transaction.commit()
    done = time.monotonic_ns()
    if way == "listen one, and a doorbell":
        node.bells[_WOKEN].ring()
    while not words[_WOKEN_AT]:  # noqa: ASYNC110  # another process writes it
        await asyncio.sleep(0.0005)
    woken_at = words[_WOKEN_AT]
    return (woken_at - began) / 1000, (woken_at - done) / 1000


async def _work(node: Node) -> None:
    """Be idle, or execute scripts: two light ones and one that computes, again and again."""
    if not node.busy:
        await asyncio.Event().wait()
    engine = Engine(node.engine_folder, 32, 256)
    executor, _, _ = bench_executor(engine)

    async def again(name: str) -> None:
        while True:
            await executor.execute(invocation(name))
            await asyncio.sleep(0)  # a light one may never have waited

    await asyncio.gather(again("hello"), again("hello"), again("primes"))


def _worker(main: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            main()
        os._exit(1)
    return child


def main(busy: bool) -> None:
    # Without fsync a commit is as short as it can be: what is compared is the way behind it.
    settings = {"fsync": "off", "synchronous_commit": "off"}
    children = []
    with scratch_folder(0o711) as folder, tempfile.TemporaryDirectory() as machine_code:
        server = EmbeddedPostgres(folder, connections=20, settings=settings)
        try:
            node = Node(server.start(), Path(machine_code), busy)
            reading, writing = os.pipe()
            works = (listener, woken, functools.partial(writer, report=writing))
            children = [_worker(lambda work=work: uvloop.run(work(node))) for work in works]  # type: ignore[misc]
            os.close(writing)
            sys.stdout.write(os.read(reading, 65536).decode() + "\n")
        finally:
            for child in children:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            server.stop(seconds=5)


if __name__ == "__main__":
    main(sys.argv[1] == "busy")
