"""The instance's database for commands that need no server: its own, or that of a server that runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from picloud.config import Settings
from picloud.db.cluster import SUPERUSER, Cluster
from picloud.db.embedded import EmbeddedPostgres
from picloud.db.lock import FolderLock
from picloud.db.parameters import ConnectionParameters
from picloud.db.unusable import DatabaseUnusable


@contextmanager
def database(settings: Settings) -> Iterator[ConnectionParameters]:
    """Reach the database, starting the embedded one for as long as it is needed.

    Args:
        settings: say which database.

    Raises:
        DatabaseUnusable: it cannot be reached; the text says why.
    """
    if settings.database_url is not None:
        yield ConnectionParameters.of_url(settings.database_url)
    elif (running := _of_running_server(settings.data_dir)) is not None:
        yield running
    else:
        with EmbeddedPostgres(settings.data_dir) as parameters:
            yield parameters


def _of_running_server(data_dir: Path) -> ConnectionParameters | None:
    """Parameters of the database that a PiCloud on this data folder runs, or None where none does."""
    if not data_dir.is_dir():
        return None
    lock = FolderLock(data_dir / "postgres.lock")
    try:
        lock.acquire()
    except DatabaseUnusable:
        return _of_pid_file(Cluster(data_dir.resolve()).pid_file)
    lock.release()
    return None


def _of_pid_file(file: Path) -> ConnectionParameters | None:
    """PostgreSQL writes the folder of its socket into the fifth line of its pid file."""
    try:
        return ConnectionParameters.of_socket(
            Path(file.read_text("utf-8").splitlines()[4]), SUPERUSER, "postgres"
        )
    except (OSError, IndexError):
        return None
