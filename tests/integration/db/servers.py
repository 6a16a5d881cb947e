"""Helpers for the embedded server: a client, its processes, waiting."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from picloud.db.cluster import binary
from picloud.db.embedded import EmbeddedPostgres
from picloud.db.parameters import ConnectionParameters


def psql(parameters: ConnectionParameters, sql: str) -> str:
    """Run SQL and return what it prints, as `psql -At` does."""
    command: list[str | Path] = [
        binary("psql"),
        parameters.url,
        "-X",
        "-At",
        "-v",
        "ON_ERROR_STOP=1",
        "-c",
        sql,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def answers(parameters: ConnectionParameters) -> bool:
    """Whether the server takes a connection now."""
    return subprocess.run([binary("psql"), parameters.url, "-c", ""], capture_output=True).returncode == 0


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something holds; the limit only keeps a failure from hanging."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)


def processes_of(folder: Path) -> list[int]:
    """Every process whose command line or working folder names `folder` (Linux)."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            shown = (process / "cmdline").read_bytes() + os.fsencode((process / "cwd").readlink())
        except OSError:
            continue
        if os.fsencode(folder) in shown:
            found.append(int(process.name))
    return found


def serve(data: Path) -> Callable[[Callable[[object], None]], None]:
    """Work for a forked child: start a server, write a row, send the parameters and the server's id."""

    def work(send: Callable[[object], None]) -> None:
        server = EmbeddedPostgres(data)
        parameters = server.start()
        psql(parameters, "CREATE TABLE IF NOT EXISTS t (n int); INSERT INTO t VALUES (42)")
        send((parameters, server.pid))

    return work


def read_back(data: Path) -> str:
    """Start a server, read what `serve` wrote, stop."""
    with EmbeddedPostgres(data) as parameters:
        return psql(parameters, "SELECT DISTINCT n FROM t")
