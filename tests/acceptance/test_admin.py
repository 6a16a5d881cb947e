"""`picloud migrate` and `picloud admin`, with and without a server on the data folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.acceptance.running import OWNER, Server, environment


def _picloud(data_dir: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "picloud", *arguments, "--data-dir", str(data_dir)],
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment({}),
    )


def _login(server: Server, name: str, password: str) -> int:
    return server.request("POST", "/api/v1/admin/auth/login", {"username": name, "password": password}).status


def test_a_user_created_without_a_server_can_log_in_after_the_next_start(data_dir: Path) -> None:
    ended = _picloud(data_dir, "admin", "create", "ada", typed="analytical engine\n")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "ada" in ended.stdout
    with Server(data_dir) as server:
        assert _login(server, "ada", "analytical engine") == 200


def test_a_password_reset_takes_effect_in_a_running_server(data_dir: Path) -> None:
    name, old = OWNER.values()
    with Server(data_dir) as server:
        assert _login(server, name, old) == 200
        ended = _picloud(data_dir, "admin", "reset-password", name, typed="a new password\n")
        assert ended.returncode == 0, ended.stderr
        assert _login(server, name, old) == 401
        assert _login(server, name, "a new password") == 200


def test_an_unknown_and_an_existing_user_are_reported_in_one_line(data_dir: Path) -> None:
    ended = _picloud(data_dir, "admin", "reset-password", "nobody", typed="long enough it is\n")
    assert ended.returncode == 1
    assert "'nobody'" in ended.stderr
    assert ended.stderr.count("\n") == 1
    ended = _picloud(data_dir, "admin", "create", "OWNER", typed="long enough it is\n")
    assert ended.returncode == 1
    assert "username" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_migrate_reports_an_up_to_date_schema(data_dir: Path) -> None:
    ended = _picloud(data_dir, "migrate")
    assert ended.returncode == 0
    assert "schema" in ended.stdout
