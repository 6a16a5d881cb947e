"""The folder and processes of the embedded server after a kill at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from picloud.db import server_user
from picloud.db.embedded import EmbeddedPostgres
from tests.integration.db.forked import as_user, child
from tests.integration.db.servers import answers, processes_of, psql, read_back, serve, wait_for


def test_a_killed_parent_leaves_no_process_and_all_its_data(folder: Path, uid: int | None) -> None:
    data = folder / "data"
    with child(serve(data), uid) as parent:
        parent.receive()
        assert processes_of(data)
        parent.kill()
        wait_for(lambda: not processes_of(data))
    assert as_user(uid, lambda: read_back(data)) == "42"


@pytest.mark.skipif(os.geteuid() != 0, reason="about servers that root starts")
def test_a_killed_root_parent_leaves_no_process_below_a_closed_folder(folder: Path) -> None:
    folder.chmod(0o700)
    with child(serve(folder / "data")) as parent:
        parent.receive()
        parent.kill()
        wait_for(lambda: not processes_of(folder))
    assert read_back(folder / "data") == "42"


def test_the_next_start_does_not_wait_for_a_worker_that_outlives_its_parent(folder: Path) -> None:
    def serve_and_fork(send: Callable[[object], None]) -> None:
        server = EmbeddedPostgres(folder)
        psql(server.start(), "CREATE TABLE t (n int); INSERT INTO t VALUES (42)")
        worker = os.fork()
        if worker == 0:
            signal.pause()
        send(worker)

    with child(serve_and_fork) as parent:
        worker = parent.receive()
        parent.kill()
        try:
            assert read_back(folder) == "42"
        finally:
            os.kill(worker, signal.SIGKILL)


def test_a_kill_during_initdb_leaves_nothing_half_made(folder: Path, uid: int | None) -> None:
    data = folder / "data"
    with child(serve(data), uid) as parent:
        wait_for(lambda: list(data.glob("postgres-new-*/base/1")))
        parent.kill()
    assert not (data / "postgres").exists()
    wait_for(lambda: not processes_of(data))
    with child(serve(data), uid) as parent:
        parent.receive()
        assert not list(data.glob("postgres-new-*"))


def test_a_server_that_outlived_its_parent_is_stopped_by_the_next_start(
    folder: Path, uid: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_user, "_PR_SET_PDEATHSIG", 0)  # as where the kernel has no such thing
    data = folder / "data"
    with child(serve(data), uid) as parent:
        parameters, pid = parent.receive()
        parent.kill()
    assert answers(parameters)
    assert as_user(uid, lambda: read_back(data)) == "42"
    assert pid not in processes_of(data)


def test_a_killed_server_whose_children_linger_is_started_again(folder: Path) -> None:
    with child(serve(folder)) as parent:
        _, pid = parent.receive()
        os.kill(pid, signal.SIGKILL)
        parent.kill()
        assert read_back(folder) == "42"


@pytest.mark.parametrize("reused", [False, True])
def test_a_stale_pid_file_is_removed(folder: Path, uid: int | None, reused: bool) -> None:
    data = folder / "data"
    with child(serve(data), uid) as parent:
        parent.receive()
    wait_for(lambda: not processes_of(data))
    # The number may since belong to anyone, even to a process of the very user the server runs as.
    owner = (data / "postgres").stat().st_uid
    stranger = subprocess.Popen(["sleep", "600"], user=owner if os.geteuid() == 0 else None)
    if not reused:
        stranger.kill()
        stranger.wait()
    try:
        pid_file = data / "postgres/postmaster.pid"
        pid_file.write_text(
            f"{stranger.pid}\n{data}/postgres\n1\n5432\n{data}/postgres-socket\n\n  1  1\nready   \n"
        )
        os.chown(pid_file, owner, -1)
        with child(serve(data), uid) as parent:
            parent.receive()
        assert reused == (stranger.poll() is None)
    finally:
        stranger.kill()
        stranger.wait()


def test_a_socket_folder_left_by_a_kill_goes_with_the_next_start(folder: Path) -> None:
    data = folder / ("x" * 120)
    with child(serve(data)) as parent:
        parameters, _ = parent.receive()
        left = Path(psql(parameters, "SHOW unix_socket_directories"))
        parent.kill()
    assert left.parent == Path(tempfile.gettempdir())
    assert left.exists()
    wait_for(lambda: not processes_of(data))
    assert read_back(data) == "42"
    assert not left.exists()
