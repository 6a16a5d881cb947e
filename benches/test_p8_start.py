"""P8: how soon a second start answers, and what an idle server costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import psutil
from benches.server import Server

STARTS, IDLE_SECONDS = 5, 10


def test_p8_second_start_and_idle(tmp_path: Path, report: Callable[[str, str, str], None]) -> None:
    server = Server(tmp_path / "data", 2)
    server.stop()
    seconds = []
    for _ in range(STARTS):
        server = Server(tmp_path / "data", 2)
        seconds.append(server.seconds)
        if len(seconds) < STARTS:
            server.stop()
    processes = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]

    def cpu() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    before = cpu()
    time.sleep(IDLE_SECONDS)
    idle = (cpu() - before) / IDLE_SECONDS
    server.stop()
    report(
        "P8 second start to first answer",
        f"{median(seconds):.2f} s ({min(seconds):.2f}-{max(seconds):.2f})",
        "<= 2 s",
    )
    report("P8 idle", f"{idle:.2%} of a core, {len(processes)} processes", "<= 1 %")
