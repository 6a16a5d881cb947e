"""Migrations: `migrations/NNNN_name.sql`, forward only, each in a transaction of its own.

The table `schema_migrations` has the applied migrations with checksums of their files, so that a changed
file is detected. Nodes that start together wait for each other with an advisory lock.
"""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Single, check, connect
from picloud.db.unusable import DatabaseUnusable

logger = logging.getLogger(__name__)

_FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_LOCK = 0x7069636C  # "picl"; any number not used elsewhere as an advisory lock
_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One migration file.

    Attributes:
        version: its number, from 1, without gaps.
        name: its file name.
        sql: its statements.
        checksum: SHA-256 of the file in hexadecimal.
    """

    version: int
    name: str
    sql: str
    checksum: str


def migrations_folder() -> Path:
    """Return the folder of the migrations: in an installed package, or at the top of a checkout.

    Raises:
        DatabaseUnusable: there is none: the installation is broken.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "migrations", package.parents[1] / "migrations"):
        if folder.is_dir():
            return folder
    raise DatabaseUnusable(f"the migrations are missing from {package}; install PiCloud again")


def read_migrations(folder: Path | None = None) -> list[Migration]:
    """Read every migration, in order.

    Args:
        folder: their folder; None for the one of PiCloud.

    Raises:
        DatabaseUnusable: a name is malformed, or a number is missing or used twice.
    """
    migrations: list[Migration] = []
    for path in sorted((folder or migrations_folder()).glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise DatabaseUnusable(f"invalid migration name {path.name}; use the form 0001_foundation.sql")
        expected = len(migrations) + 1
        if int(match[1]) != expected:
            raise DatabaseUnusable(
                f"the migration {path.name} must have the number {expected:04}; numbers have no gaps"
            )
        content = path.read_bytes()
        migrations.append(
            Migration(expected, path.name, content.decode("utf-8"), hashlib.sha256(content).hexdigest())
        )
    return migrations


def latest_version(folder: Path | None = None) -> int:
    """Return the schema version of this code: the number of the last migration."""
    return len(read_migrations(folder))


async def current_version(parameters: ConnectionParameters) -> int:
    """Return the schema version of a database; 0 for an empty one. Only tests use it.

    Raises:
        DatabaseUnusable, Unavailable: as `pool.connect`.
    """
    connection = await connect(parameters)
    try:
        return len(await _applied(connection))
    finally:
        await connection.close()


async def migrate(parameters: ConnectionParameters, folder: Path | None = None) -> list[str]:
    """Update the schema; does nothing if it is up to date.

    Args:
        parameters: the database.
        folder: the migrations; None for those of PiCloud.

    Returns:
        File names of the migrations applied by this call.

    Raises:
        DatabaseUnusable: a migration fails (those before it stay), an applied file has changed, the
            schema is newer than this code, or the server is not suitable.
        Unavailable: no server responds there.
    """
    migrations = read_migrations(folder)
    await check(parameters)
    applied: list[str] = []
    connection = await connect(parameters)
    try:
        while (done := await _apply_next(connection, migrations)) is not None:
            logger.info("applied migration %s", done)
            applied.append(done)
    finally:
        await connection.close()
    return applied


async def _apply_next(connection: Single, migrations: list[Migration]) -> str | None:
    # The lock belongs to the transaction, so it cannot outlive a killed process or the session of a pooler.
    # A node that waited for it sees the migrations of the other, and continues after them.
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        applied = await _applied(connection)
        _compare(applied, migrations)
        if len(applied) == len(migrations):
            return None
        migration = migrations[len(applied)]
        await connection.execute(_TABLE)
        try:
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
                migration.version,
                migration.name,
                migration.checksum,
            )
        except asyncpg.PostgresError as error:
            raise DatabaseUnusable(f"migration {_place(migration, error)} failed: {error}") from error
    return migration.name


async def _applied(connection: Single) -> list[asyncpg.Record]:
    if await connection.fetchval("SELECT to_regclass('schema_migrations')") is None:
        return []
    return await connection.fetch("SELECT version, name, checksum FROM schema_migrations ORDER BY version")


def _compare(applied: list[asyncpg.Record], migrations: list[Migration]) -> None:
    if len(applied) > len(migrations):
        raise DatabaseUnusable(
            f"the database has schema version {len(applied)}, but this PiCloud knows only {len(migrations)}; "
            "start the newer PiCloud that created it, or restore an earlier backup"
        )
    for row, migration in zip(applied, migrations, strict=False):
        if row["checksum"] != migration.checksum or row["version"] != migration.version:
            raise DatabaseUnusable(
                f"migration {migration.name} changed after it was applied (as {row['name']}); "
                "restore the file, and put changes into a new migration"
            )


def _place(migration: Migration, error: asyncpg.PostgresError) -> str:
    """Return file and line of an error, if PostgreSQL reports the position."""
    position = getattr(error, "position", None)
    if position is None:
        return migration.name
    return f"{migration.name}:{migration.sql.count(chr(10), 0, int(position) - 1) + 1}"
