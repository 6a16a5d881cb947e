"""An external server: over TCP with a password, in every installed major version."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from picloud.db import pool
from picloud.db.cluster import binary
from picloud.db.migrate import current_version, latest_version, migrate
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database
from picloud.db.server_user import ServerUser, choose
from picloud.db.unusable import DatabaseUnusable
from tests.integration.db.servers import answers, wait_for

INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
SERVERS = [
    binary("postgres").parent,
    *(path for path in INSTALLED if int(path.parent.name) >= pool.OLDEST_VERSION),
]
PASSWORD = "s3cr3t-word"


@pytest.fixture(params=SERVERS, ids=lambda path: path.parent.name)
def external(request: pytest.FixtureRequest, folder: Path) -> Iterator[ConnectionParameters]:
    """A server with password authentication on a free port of the loopback interface."""
    programs: Path = request.param
    user = choose(programs / "postgres", folder, folder / "cluster")
    (folder / "password").write_text(PASSWORD)
    options: list[str | Path] = [
        "-U",
        "operator",
        "-A",
        "scram-sha-256",
        "--pwfile",
        folder / "password",
        "-E",
        "UTF8",
    ]
    made = user.run([programs / "initdb", "-D", folder / "cluster", "--no-locale", "--no-sync", *options])
    assert made.returncode == 0, made.stdout
    server, port = _start(user, programs, folder)
    try:
        parameters = ConnectionParameters.of_url(
            f"postgresql://operator:{PASSWORD}@127.0.0.1:{port}/postgres"
        )
        wait_for(lambda: answers(parameters) or server.poll() is not None)
        yield parameters
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


def _start(user: ServerUser, programs: Path, folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "fsync": "off",
    }
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    command: list[str | Path] = [programs / "postgres", "-D", folder / "cluster", *arguments]
    return user.spawn(command, signal.SIGQUIT, subprocess.DEVNULL), port


async def test_the_schema_works_on_every_supported_major_version(external: ConnectionParameters) -> None:
    await migrate(external)
    assert await current_version(external) == latest_version()
    database = await Database.open(external, 1)
    assert await database.fetchval("SELECT $1::jsonb", {"a": 1}) == {"a": 1}
    await database.close()


async def test_a_wrong_password_is_rejected_and_never_shown(external: ConnectionParameters) -> None:
    wrong = ConnectionParameters.of_url(external.url.replace(PASSWORD, "wr0ng-word"))
    with pytest.raises(DatabaseUnusable, match="operator") as caught:
        await Database.open(wrong)
    assert "wr0ng-word" not in str(caught.value)


async def test_an_unknown_option_of_the_url_is_reported(external: ConnectionParameters) -> None:
    with pytest.raises(DatabaseUnusable, match="URL"):
        await Database.open(ConnectionParameters.of_url(f"{external.url}?sslmode=perhaps"))


async def test_a_server_that_is_too_old_is_named_with_its_version(
    postgres: ConnectionParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "OLDEST_VERSION", 99)
    with pytest.raises(DatabaseUnusable, match=r"PostgreSQL \d+\.\d+.* 99"):
        await Database.open(postgres)
    with pytest.raises(DatabaseUnusable, match="99"):
        await migrate(postgres)
