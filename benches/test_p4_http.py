"""P4: `GET /hello` and a kv route over real HTTP, against a bare aiohttp handler that does the same work.

Each server has one core and wrk has another; the two servers take turns.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from benches.ratio import take_turns
from benches.server import HOST, Server

ROUNDS, SECONDS = 3, 3
CONNECTIONS = (1, 16, 256)
KV_ROUTE = """
let c = kv::collection("bench");
c.set(ctx.execution_id, #{ n: 1 });
c.get(ctx.execution_id)
"""


@pytest.fixture(scope="module")
def wrk() -> str:
    found = shutil.which("wrk")
    if found is None or (os.cpu_count() or 1) < 2:
        pytest.skip("wrk (Debian package wrk) and two cores are needed")
    return found


@pytest.fixture(scope="module")
def picloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("p4") / "data", 1, core=0)
    server.add_route("/kv", KV_ROUTE)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def bare() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    command = ["taskset", "-c", "0", sys.executable, Path(__file__).with_name("bare_server.py"), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield port
        process.send_signal(signal.SIGINT)


def load(wrk: str, port: int, path: str, connections: int) -> tuple[float, float]:
    """Requests a second, and the p99 in milliseconds."""
    command = ["taskset", "-c", "1", wrk, "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency"]
    command += ["-H", "Host: localhost", f"http://{HOST}:{port}{path}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in said, said
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    assert rate is not None
    assert p99 is not None
    return float(rate[1]), float(p99[1]) * {"us": 0.001, "ms": 1, "s": 1000}[p99[2]]


@pytest.mark.parametrize("connections", CONNECTIONS)
def test_p4_hello(
    connections: int, wrk: str, picloud: Server, bare: int, report: Callable[[str, str, str], None]
) -> None:
    p99s: dict[int, float] = {}

    def rate(port: int) -> list[float]:
        requests, p99s[port] = load(wrk, port, "/hello", connections)
        return [requests]

    rate(picloud.port)
    ratio = take_turns(lambda: rate(picloud.port), lambda: rate(bare), ROUNDS)
    figures = (
        f"{ratio.ours:,.0f}/s : {ratio.baseline:,.0f}/s, p99 {p99s[picloud.port]:.1f} : {p99s[bare]:.1f} ms"
    )
    report(f"P4 GET /hello at {connections} : bare aiohttp", f"{ratio}  {figures}", ">= 0.5x")


@pytest.mark.parametrize("connections", CONNECTIONS)
def test_p4_kv(connections: int, wrk: str, picloud: Server, report: Callable[[str, str, str], None]) -> None:
    rate, p99 = load(wrk, picloud.port, "/kv", connections)
    report(f"P4 kv write and read at {connections}", f"{rate:,.0f}/s, p99 {p99:.1f} ms", "-")
