"""The server process: start, stop, kill, restart."""

from __future__ import annotations

import http.client
import shutil
import signal
import socket
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.acceptance.running import OWNER, Server, gone, refused, until

COUNT = 'let kv = kv::collection("count"); kv.increment("n", 1)'


def test_hello_responds_on_localhost_after_the_first_and_second_start(data_dir: Path) -> None:
    for _ in range(2):
        with Server(data_dir) as server:
            answer = server.request("GET", "/hello?name=Ada")
            assert answer.status == 200
            assert answer.json["message"] == "Hello, Ada!"
            assert answer.headers["X-Execution-Id"]


@pytest.mark.slow
def test_the_first_start_creates_all_it_needs(data_dir: Path) -> None:
    folder = data_dir.with_name("new")
    for _ in range(2):
        with Server(folder) as server:
            assert server.request("GET", "/hello").status == 200
    assert len(list((folder / "machine-code").glob("guest-*.cwasm"))) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_it_cleanly_with_no_process_left(data_dir: Path, number: signal.Signals) -> None:
    with Server(data_dir) as server:
        family = server.family()
        assert len(family) > 3  # the parent, two workers, PostgreSQL and its own
        assert server.stop(number) == 0
        assert gone(family)
    assert not list(data_dir.glob("postgres/postmaster.pid"))


def test_a_killed_parent_ends_every_process(data_dir: Path) -> None:
    with Server(data_dir) as server:
        family = server.family()
        server.stop(signal.SIGKILL)
        until(lambda: gone(family), "every process to end", seconds=5)


def test_acknowledged_writes_survive_a_kill(data_dir: Path) -> None:
    with Server(data_dir) as server:
        script_id = server.script(server.login(), "counter", COUNT)
        for expected in range(1, 51):
            answer = server.request("POST", f"/api/v1/execute/{script_id}")
            assert (answer.status, answer.json) == (200, expected)
        server.stop(signal.SIGKILL)
    with Server(data_dir) as server:
        assert server.request("POST", f"/api/v1/execute/{script_id}").json == 51


def test_a_killed_worker_is_replaced_and_requests_continue(data_dir: Path) -> None:
    with Server(data_dir) as server:
        before = server.workers()
        before[0].kill()

        def replaced() -> bool:
            now = server.workers()
            return len(now) == len(before) and before[0] not in now

        until(replaced, "another worker")
        for _ in range(20):  # whichever worker the connection lands on
            assert server.request("GET", "/hello").status == 200
        assert server.logged("died")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux steers connections")
def test_a_stopped_worker_is_noticed_and_replaced_and_requests_go_on(data_dir: Path) -> None:
    with Server(data_dir) as server:
        before = server.workers()
        before[0].suspend()
        until(lambda: server.logged("has not responded for"), "the parent to notice")
        for _ in range(20):  # no connection waits for the worker that is gone
            assert server.request("GET", "/hello").status == 200
        until(lambda: len(server.workers()) == 2 and before[0] not in server.workers(), "another worker")
        assert before[1] in server.workers()


def test_a_killed_database_is_restarted_and_requests_continue(data_dir: Path) -> None:
    with Server(data_dir) as server:
        script_id = server.script(server.login(), "counter", COUNT)
        postgres = next(one for one in server.family() if one.name() == "postgres")
        postgres.kill()
        until(
            lambda: server.request("POST", f"/api/v1/execute/{script_id}").status == 200,
            "an execution that writes",
        )
        assert server.request("GET", "/readyz").status == 200


def test_a_write_is_seen_by_the_very_next_request_on_every_worker(data_dir: Path) -> None:
    with Server(data_dir, ("--port", "0", "--workers", "4")) as server:
        token = server.login()
        script_id = server.script(token, "version", "0")
        connections = [server.connect() for _ in range(24)]  # spread over the workers by the kernel
        try:
            for version in range(1, 20):
                written = server.request(
                    "PATCH", f"/api/v1/admin/scripts/{script_id}", {"source": str(version)}, token
                )
                assert written.status == 200
                seen = {
                    server.request("POST", f"/api/v1/execute/{script_id}", connection=one).body
                    for one in connections
                }
                assert seen == {str(version).encode()}
        finally:
            for one in connections:
                one.close()


def _half_sent(server: Server) -> http.client.HTTPConnection:
    """A request whose handler is at work: it has asked for the body, which is not sent yet."""
    connection = server.connect()
    connection.putrequest("GET", "/hello", skip_host=True)
    for name, value in (("Host", "localhost"), ("Content-Length", "2"), ("Expect", "100-continue")):
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.sock.recv(1024).startswith(b"HTTP/1.1 100")
    return connection


def test_a_stop_lets_running_requests_finish(data_dir: Path) -> None:
    with Server(data_dir) as server, closing(_half_sent(server)) as connection:
        server.send(signal.SIGTERM)
        until(lambda: server.logged("stopping"), "the stop to begin")
        connection.send(b"{}")
        assert connection.getresponse().status == 200
        assert server.ended() == 0


def test_a_second_signal_aborts_running_requests(data_dir: Path) -> None:
    variables = {"PICLOUD_SHUTDOWN_GRACE_SECONDS": "3600"}
    with Server(data_dir, variables=variables) as server, closing(_half_sent(server)):
        family = server.family()
        server.send(signal.SIGINT)
        until(lambda: server.logged("stopping"), "the stop to begin")
        server.send(signal.SIGINT)
        assert server.ended() == 0
        assert gone(family)


def test_a_port_in_use_is_reported_in_one_line_with_a_fix(data_dir: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        said = refused(data_dir, "--port", str(port))
    assert said.startswith("picloud: ")
    assert said.count("\n") == 1
    assert f"port {port} " in said
    assert "--port" in said


def test_a_second_server_on_a_data_folder_does_not_start(data_dir: Path) -> None:
    with Server(data_dir) as server:
        said = refused(data_dir, "--port", "0")
        assert said.count("\n") == 1
        assert f"(process {server.pid})" in said
        assert server.request("GET", "/hello").status == 200


def test_each_invalid_setting_is_reported_in_one_line_and_nothing_starts(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    said = refused(folder, "--port", "x", "--workers", "0", code=2)
    started = [line.split()[:2] for line in said.splitlines()]
    assert started == [["picloud:", "--port"], ["picloud:", "--workers"]]
    assert not folder.exists()


def test_a_bootstrap_password_that_is_too_short_stops_the_first_start_in_one_line(data_dir: Path) -> None:
    for folder in ("postgres", "files"):  # so that there is no user yet, nor files of another database
        shutil.rmtree(data_dir / folder)
    said = refused(data_dir, "--port", "0", variables={**OWNER, "PICLOUD_BOOTSTRAP_PASSWORD": "short"})
    last = said.splitlines()[-1]
    assert last.startswith("picloud: ")
    assert "password" in last
    assert "10" in last


def test_an_external_database_is_used_when_its_url_is_set(database_url: str, data_dir: Path) -> None:
    folder = data_dir.with_name("other")
    folder.mkdir(mode=0o700)
    (folder / "machine-code").symlink_to(data_dir / "machine-code")
    with Server(folder, variables={"PICLOUD_DATABASE_URL": database_url}) as server:
        assert not any(one.name() == "postgres" for one in server.family())
        assert server.request("GET", "/hello").status == 200
        assert any("setup_link" in line for line in server.lines())


def test_the_workers_are_separate_processes(data_dir: Path) -> None:
    with Server(data_dir, ("--port", "0", "--workers", "3")) as server:
        assert len(server.workers()) == 3
        assert psutil.Process(server.pid).num_threads() == 1  # the parent forks: it must be alone


def test_an_unreachable_database_is_named_without_its_password(tmp_path: Path) -> None:
    url = {"PICLOUD_DATABASE_URL": "postgresql://me:hunter2@127.0.0.1:1/x"}
    said = refused(tmp_path / "data", "--port", "0", variables=url)
    assert said.startswith("picloud: ")
    assert said.count("\n") == 1
    assert "x on 127.0.0.1:1" in said
    assert "hunter2" not in said
