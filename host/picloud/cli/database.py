"""Connects commands to the database of the instance, whether or not a server runs."""

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
    """Yield the parameters of the database; starts the embedded one if no server runs it.

    Raises:
        DatabaseUnusable: the database cannot be reached.
    """
    if settings.database_url is not None:
        yield ConnectionParameters.of_url(settings.database_url)
    elif (running := _of_running_server(settings.data_dir)) is not None:
        yield running
    else:
        with EmbeddedPostgres(settings.data_dir) as parameters:
            yield parameters


def _of_running_server(data_dir: Path) -> ConnectionParameters | None:
    """Return the parameters of the database of a running server on this data folder, or None."""
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
    """Return the parameters from PostgreSQL's pid file; its fifth line is the folder of the socket."""
    try:
        return ConnectionParameters.of_socket(
            Path(file.read_text("utf-8").splitlines()[4]), SUPERUSER, "postgres"
        )
    except (OSError, IndexError):
        return None
