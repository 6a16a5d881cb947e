"""The parent process, with workers that do only what a test needs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

HEAD = """
import os, signal, sys, time
from pathlib import Path
from picloud.server.supervisor import Workers
folder = Path(sys.argv[1])
def note(name, text):
    with open(folder / name, "a") as file:
        file.write(text + "\\n")
def run(count, main, grace=5.0, on_ready=lambda: None, on_stop=lambda: None):
    made = Workers(count, main, grace=grace, on_ready=on_ready, on_stop=on_stop, watch=lambda: None)
    sys.exit(made.run())
def wait():  # SIGTERM ends it
    signal.pause()
"""


def _start(folder: Path, text: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HEAD + text, str(folder)],
        text=True,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def _ended(parent: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = parent.communicate(timeout=60)
    return parent.returncode, out + err


def test_readiness_is_announced_once_when_every_worker_has_said_so(tmp_path: Path) -> None:
    code, _ = _ended(
        _start(
            tmp_path,
            """
def main(place):
    note("order", f"ready {place.slot}")
    place.ready()
    wait()
def on_ready():
    note("order", "all")
    os.kill(os.getpid(), signal.SIGTERM)
run(3, main, on_ready=on_ready)
""",
        )
    )
    lines = (tmp_path / "order").read_text().splitlines()
    assert (code, lines.pop()) == (0, "all")
    assert sorted(lines) == ["ready 0", "ready 1", "ready 2"]


def test_a_worker_that_fails_before_all_are_ready_ends_the_start(tmp_path: Path) -> None:
    code, said = _ended(
        _start(
            tmp_path,
            """
def main(place):
    if place.slot == 1:
        raise ValueError("cannot")
    wait()
run(2, main, on_ready=lambda: note("ready", "never"))
""",
        )
    )
    assert code == 1
    assert "ValueError: cannot" in said
    assert not (tmp_path / "ready").exists()


def test_a_worker_that_dies_is_replaced_in_its_slot_again_and_again(tmp_path: Path) -> None:
    code, _ = _ended(
        _start(
            tmp_path,
            """
def main(place):
    place.ready()
    if place.slot == 1:
        note("lives", str(os.getpid()))
        if len((folder / "lives").read_text().splitlines()) < 4:
            os._exit(3)
        os.kill(os.getppid(), signal.SIGTERM)
    wait()
run(2, main)
""",
        )
    )
    assert code == 0
    assert len(set((tmp_path / "lives").read_text().split())) == 4


def test_a_worker_that_does_not_stop_is_killed_after_the_grace(tmp_path: Path) -> None:
    code, _ = _ended(
        _start(
            tmp_path,
            """
def main(place):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note("pid", str(os.getpid()))
    place.ready()
    while True:
        signal.pause()
run(1, main, grace=0.0, on_ready=lambda: os.kill(os.getpid(), signal.SIGINT))
""",
        )
    )
    assert code == 0
    pid = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists() or sys.platform != "linux"


def test_a_ctrl_c_that_reaches_the_workers_too_is_left_to_the_parent(tmp_path: Path) -> None:
    parent = _start(
        tmp_path,
        """
os.setsid()
def main(place):
    def stop(*_):
        note("stopped", "orderly")
        os._exit(0)
    signal.signal(signal.SIGTERM, stop)
    place.ready()
    while True:
        signal.pause()
run(1, main, on_ready=lambda: os.killpg(os.getpid(), signal.SIGINT), on_stop=lambda: note("stopped", "asked"))
""",
    )
    assert _ended(parent)[0] == 0
    assert (tmp_path / "stopped").read_text().splitlines() == ["asked", "orderly"]


def test_a_killed_parent_ends_its_workers(tmp_path: Path) -> None:
    """The reading end of a pipe that only the worker holds says when it is gone."""
    parent = _start(
        tmp_path,
        """
def main(place):
    place.ready()
    while True:
        signal.pause()
run(1, main, on_ready=lambda: print("ready", flush=True))
""",
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    os.kill(parent.pid, signal.SIGKILL)
    assert (
        parent.communicate(timeout=60)[0] == ""
    )  # ends when the worker, which holds the pipe too, has ended
