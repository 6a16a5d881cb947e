"""The parent process, with workers that do only what a test needs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HEAD = """
import os, signal, sys, time
from pathlib import Path
from picloud.server.supervisor import Workers
folder = Path(sys.argv[1])
def note(name, text):
    with open(folder / name, "a") as file:
        file.write(text + "\\n")
def run(count, main, grace=5.0, on_ready=lambda: None, on_stop=lambda: None, **more):
    made = Workers(count, main, grace=grace, on_ready=on_ready, on_stop=on_stop, watch=lambda: None, **more)
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


def test_workers_that_hang_are_killed_one_after_the_other_and_get_no_connections_meanwhile(
    tmp_path: Path,
) -> None:
    """The first life of both workers beats once; the second life goes on beating."""
    code, said = _ended(
        _start(
            tmp_path,
            """
from picloud.server import supervisor
supervisor.HUNG_SECONDS = 0.3
def main(place):
    place.beat()
    first = not (folder / f"first {place.slot}").exists()
    note(f"first {place.slot}", "life")
    if first:
        place.ready()
        wait()
    note("order", f"again {place.slot}")
    place.ready()
    while True:
        place.beat()
        time.sleep(0.02)
def on_serving(slots):
    note("order", f"serving {slots}")
    if slots == [0, 1]:
        os.kill(os.getpid(), signal.SIGTERM)
run(2, main, on_serving=on_serving)
""",
        )
    )
    assert code == 0, said
    assert (tmp_path / "order").read_text().splitlines() == [
        "serving []",
        "again 0",
        "serving [0]",
        "again 1",
        "serving [0, 1]",
    ]
    assert said.count("has not responded for") == 2


def test_a_worker_is_not_killed_for_a_time_in_which_the_parent_was_stopped_too(tmp_path: Path) -> None:
    code, said = _ended(
        _start(
            tmp_path,
            """
from picloud.server import supervisor
supervisor.HUNG_SECONDS, supervisor._LATE_SECONDS, supervisor._IDLE_SECONDS = 0.3, 0.5, 0.05
def main(place):
    place.beat()
    place.ready()
    time.sleep(0.8)  # it was suspended, like its parent
    while True:
        place.beat()
        time.sleep(0.02)
looks = []
def watch():
    looks.append(1)
    if len(looks) == 4:
        time.sleep(1.0)
    if len(looks) > 20:
        os.kill(os.getpid(), signal.SIGTERM)
made = Workers(1, main, grace=5.0, on_ready=lambda: None, on_stop=lambda: None, watch=watch)
sys.exit(made.run())
""",
        )
    )
    assert (code, said) == (0, "")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says whether a process is traced")
def test_a_worker_held_by_a_debugger_is_left_to_it_and_gets_no_connections(tmp_path: Path) -> None:
    code, said = _ended(
        _start(
            tmp_path,
            '''
import subprocess
from picloud.server import supervisor
supervisor.HUNG_SECONDS = 0.3
DEBUGGER = """  # PTRACE_ATTACH stops the process
import ctypes, sys, time
print(ctypes.CDLL(None).ptrace(16, int(sys.argv[1]), 0, 0), flush=True)
time.sleep(60)
"""
def main(place):
    note(f"pid {place.slot}", str(os.getpid()))
    place.beat()
    place.ready()
    while True:
        place.beat()
        time.sleep(0.02)
def attach():
    global debugger
    command = [sys.executable, "-c", DEBUGGER, (folder / "pid 1").read_text().strip()]
    debugger = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    if debugger.stdout.readline() != "0\\n":
        note("serving", "denied")
        os.kill(os.getpid(), signal.SIGTERM)
def on_serving(slots):
    note("serving", str(slots))
    debugger.kill()
    debugger.wait()  # the worker goes on
    os.kill(os.getpid(), signal.SIGTERM)
run(2, main, grace=0.0, on_ready=attach, on_serving=on_serving)
''',
        )
    )
    assert code == 0
    if (tmp_path / "serving").read_text() == "denied\n":
        pytest.skip("this user cannot trace processes")
    assert (tmp_path / "serving").read_text() == "[0]\n"
    assert "is held by a debugger" in said
    assert "killing it" not in said
