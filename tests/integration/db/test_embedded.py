"""The lifecycle of the embedded server: start, settings, paths, restart, stop."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from picloud.core.errors import Unavailable
from picloud.db.embedded import EmbeddedPostgres
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database
from tests.integration.db.forked import as_user, child
from tests.integration.db.servers import answers, processes_of, psql, wait_for
from tests.scratch import scratch_folder

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="about servers that root starts")


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[EmbeddedPostgres, ConnectionParameters]]:
    """A running server for the tests that only look at it."""
    with scratch_folder(0o755) as path:
        server = EmbeddedPostgres(path / "data")
        yield server, server.start()
        server.stop()


@pytest.mark.parametrize("name", ["with space ünïcödé 数据", "a,b\"c'd\\", "x" * 120])
def test_data_is_there_after_stop_and_start_wherever_it_lies(
    folder: Path, uid: int | None, name: str
) -> None:
    def write_and_read() -> str:
        server = EmbeddedPostgres(folder / name)
        with server as parameters:
            psql(parameters, "CREATE TABLE t (n int); INSERT INTO t VALUES (42)")
        with server as parameters:
            return psql(parameters, "SELECT n FROM t")

    assert as_user(uid, write_and_read) == "42"
    assert processes_of(folder) == []


def test_stop_leaves_no_process_no_socket_and_a_free_lock(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    parameters = server.start()
    server.stop()
    server.stop()
    assert not answers(parameters)
    assert processes_of(folder) == []
    assert sorted(path.name for path in folder.iterdir()) == ["postgres", "postgres.lock", "postgres.log"]
    with EmbeddedPostgres(folder) as parameters:
        assert answers(parameters)


def test_a_path_too_long_for_a_socket_gets_a_private_temporary_folder_that_goes_at_stop(folder: Path) -> None:
    server = EmbeddedPostgres(folder / ("x" * 120))
    socket_folder = Path(psql(server.start(), "SHOW unix_socket_directories"))
    try:
        assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700
    finally:
        server.stop()
    assert not socket_folder.exists()


def test_acknowledged_data_is_on_disk(running: tuple[EmbeddedPostgres, ConnectionParameters]) -> None:
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        assert psql(running[1], f"SHOW {setting}") == "on"


def test_other_users_cannot_reach_the_server(running: tuple[EmbeddedPostgres, ConnectionParameters]) -> None:
    assert psql(running[1], "SHOW listen_addresses") == ""
    for setting in ("unix_socket_directories", "data_directory"):
        assert stat.S_IMODE(Path(psql(running[1], f"SHOW {setting}")).stat().st_mode) == 0o700


def test_text_is_utf8_and_sorts_by_code_point(running: tuple[EmbeddedPostgres, ConnectionParameters]) -> None:
    columns = "pg_encoding_to_char(encoding), datlocprovider, datlocale"
    rows = psql(running[1], f"SELECT {columns} FROM pg_database WHERE datname = 'postgres'")
    assert rows == "UTF8|b|C.UTF-8"


def test_a_failed_statement_leaves_nothing_in_the_log(
    running: tuple[EmbeddedPostgres, ConnectionParameters],
) -> None:
    psql(running[1], "DO $$ BEGIN PERFORM 'secret-text'::int; EXCEPTION WHEN data_exception THEN END $$")
    with pytest.raises(Exception, match="psql"):
        psql(running[1], "SELECT 'secret-text'::int")
    assert "secret-text" not in running[0].log_file.read_text()


def test_ctrl_c_at_the_terminal_does_not_reach_the_server(
    running: tuple[EmbeddedPostgres, ConnectionParameters],
) -> None:
    assert running[0].pid is not None
    assert os.getpgid(running[0].pid) != os.getpgid(0)


def test_the_server_knows_no_variable_of_our_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PICLOUD_SECRET_KEY", "hidden")
    monkeypatch.setenv("PGPORT", "1")
    server = EmbeddedPostgres(folder)
    with server as parameters:
        assert answers(parameters)
        assert b"hidden" not in Path(f"/proc/{server.pid}/environ").read_bytes()


@needs_root
def test_root_runs_the_server_as_nobody_and_changes_no_other_folder(folder: Path) -> None:
    folder.chmod(0o705)
    server = EmbeddedPostgres(folder / "data")
    with server:
        nobody = pwd.getpwnam("nobody").pw_uid
        assert Path(f"/proc/{server.pid}").stat().st_uid == nobody
        assert (folder / "data/postgres").stat().st_uid == nobody
    assert (stat.S_IMODE(folder.stat().st_mode), folder.stat().st_uid) == (0o705, 0)
    assert (folder / "data").stat().st_uid == 0


@needs_root
def test_below_a_closed_folder_roots_server_has_none_of_roots_powers(folder: Path) -> None:
    folder.chmod(0o700)
    server = EmbeddedPostgres(folder / "data")
    with server as parameters:
        status = dict(
            line.split(":\t", 1) for line in Path(f"/proc/{server.pid}/status").read_text().splitlines()
        )
        assert int(status["CapEff"], 16) == 0
        assert psql(parameters, "SELECT 1") == "1"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_only_the_main_thread_can_start_it(folder: Path) -> None:
    errors: list[BaseException] = []

    def start() -> None:
        try:
            EmbeddedPostgres(folder).start()
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(errors[0])


def test_a_forked_worker_cannot_stop_or_restart_the_parents_server(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    with server as parameters:
        pid = server.pid

        def stop_and_poll() -> bool:
            server.stop()
            return server.poll()

        assert not as_user(None, stop_and_poll)
        assert answers(parameters)
        assert server.pid == pid


async def test_a_server_that_dies_is_started_again_and_the_pool_recovers(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    with server as parameters:
        database = await Database.open(parameters, 2)
        await database.execute("CREATE TABLE t (n int)")
        await database.execute("INSERT INTO t VALUES (42)")
        assert not server.poll()
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        wait_for(server.poll)
        rows = None
        while rows is None:
            server.poll()  # the first try may meet the dead server's children
            try:
                rows = await database.fetchval("SELECT n FROM t")
            except Unavailable:
                await asyncio.sleep(0.01)
        assert rows == 42
        await database.close()


def test_a_server_that_cannot_start_is_tried_until_it_can(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    with server as parameters:
        (folder / "postgres").rename(folder / "away")
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        wait_for(server.poll)
        wait_for(server.poll)
        (folder / "away").rename(folder / "postgres")
        wait_for(lambda: server.poll() or answers(parameters))
        wait_for(lambda: not server.poll() and answers(parameters))


def test_it_stops_while_clients_are_busy(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    parameters = server.start()

    def sleep(send: object) -> None:
        psql(parameters, "SELECT pg_sleep(600)")

    with child(sleep):
        busy = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        wait_for(lambda: psql(parameters, busy) == "1")
        server.stop()
    assert "shut down" in server.log_file.read_text()
