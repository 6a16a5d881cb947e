"""The pool of database connections, and the one place where connection trouble gets its name."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any, NoReturn, TypeAlias

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from picloud.core.errors import StorageFull, Unavailable
from picloud.core.metrics import Family, Metrics
from picloud.core.repeated_log import RepeatedLog
from picloud.db.parameters import ConnectionParameters
from picloud.db.unusable import DatabaseUnusable

logger = logging.getLogger(__name__)
_log_lost, _log_full = RepeatedLog(logger), RepeatedLog(logger, logging.ERROR)

# Generic for the type checker only, hence the quotes.
Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Single: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
OLDEST_VERSION = 15
STOP_SECONDS = 300.0
"""How long a connection is kept whose statement was cancelled and goes on: PostgreSQL does not stop in the
middle of some functions. One that is given up goes on beside the pool: enough of them are all there are."""

POOL_SIZE = Family("picloud_database_pool_size", "Database connections that may be open at once.", "gauge")
OPEN = Family("picloud_database_connections", "Database connections that are open.", "gauge")
IN_USE = Family("picloud_database_connections_in_use", "Database connections that are in use.", "gauge")
WAITING = Family("picloud_database_waiting", "Callers that wait for a database connection.", "gauge")
LOST = Family(
    "picloud_database_unavailable_total", "How often a caller got no database connection, or lost it."
)
METRICS = (POOL_SIZE, OPEN, IN_USE, WAITING, LOST)

# What asyncpg raises when there is no connection, or no longer one.
_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
# The database is there, but cannot run the statement now: memory, locks, a standby, a damaged disk.
_BUSY = (
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.PostgresIOError,
)
BROKEN = (*_LOST, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
_REFUSED = (
    asyncpg.InvalidAuthorizationSpecificationError,  # and a wrong password, its subclass
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)


class _PooledConnection(asyncpg.Connection):
    """A connection that is handed on as it is.

    asyncpg would send a resetting query at every release: a second round trip for every single
    statement. Nothing of ours leaves state in a session (locks and settings are a transaction's,
    LISTEN has a connection of its own), and an open transaction is rolled back all the same.
    """

    def get_reset_query(self) -> str:
        return ""


class Database:
    """A pool of connections to PostgreSQL.

    jsonb is read and written as Python values (by orjson), uuid as `uuid.UUID`, timestamptz as
    aware `datetime`. Where there is no connection, or it breaks, callers see
    `errors.Unavailable`, and the next call tries again. If the disk of the database is full, they see
    `errors.StorageFull`. Errors of a statement (`asyncpg.PostgresError`: a constraint, a bad value) pass.
    """

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], acquire_seconds: float, metrics: Metrics) -> None:
        """Use `Database.open`."""
        self._pool = pool
        self._acquire_seconds = acquire_seconds
        self._in_use, self._waiting = metrics.series(IN_USE), metrics.series(WAITING)
        self._lost = metrics.series(LOST)
        metrics.series(POOL_SIZE).set(pool.get_max_size())

    @classmethod
    async def open(
        cls,
        parameters: ConnectionParameters,
        max_size: int = 10,
        *,
        min_size: int = 0,
        statement_cache: int = 256,
        acquire_seconds: float = 10.0,
        metrics: Metrics | None = None,
    ) -> Database:
        """Connect, and check that the server will do.

        Args:
            parameters: where the database is.
            max_size: maximum number of connections.
            min_size: connections kept open when idle for minutes; asyncpg logs a traceback when it loses one.
            statement_cache: prepared statements kept per connection; 0 for poolers that cannot keep them.
            acquire_seconds: how long a caller waits for a free connection.
            metrics: where it counts; None for itself.

        Raises:
            DatabaseUnusable: the server is too old, rejects us, or the URL is invalid.
            Unavailable: no server responds there.
        """
        metrics = metrics or Metrics(METRICS)
        connections = metrics.series(OPEN)

        async def connected(connection: Single) -> None:
            connections.inc()
            connection.add_termination_listener(lambda _: connections.dec())
            await _prepare(connection)

        await check(parameters)
        with _connecting():
            pool = await asyncpg.create_pool(
                parameters.url,
                min_size=min_size,
                max_size=max_size,
                statement_cache_size=statement_cache,
                command_timeout=None,
                connection_class=_PooledConnection,
                init=connected,
                timeout=acquire_seconds,
                server_settings={"application_name": "picloud"},
            )
        return cls(pool, acquire_seconds, metrics)

    @property
    def max_size(self) -> int:
        """Most connections at once."""
        return self._pool.get_max_size()

    async def close(self, seconds: float = 10.0) -> None:
        """Close every connection, those in use when they are released, or after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._pool.close()
        except TimeoutError:
            logger.warning("closed database connections that were still in use after %g seconds", seconds)
            self._pool.terminate()

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """Borrow a connection.

        Raises:
            Unavailable: none can be had, it broke while in use, or the database cannot run the statement now.
                A statement that was running may or may not have happened.
            StorageFull: the database has no space left.
        """
        self._waiting.inc()
        try:
            connection = await self._pool.acquire(timeout=self._acquire_seconds)
        except (*BROKEN, *_REFUSED) as error:
            self._lost.inc()
            _unavailable(error)
        finally:
            self._waiting.dec()
        self._in_use.inc()
        try:
            yield connection
        except asyncpg.DiskFullError as error:
            _log_full("the database has no space left: %s", error)
            raise StorageFull from error
        except _BUSY as error:
            _unavailable(error)
        except (*_LOST, asyncpg.InternalClientError) as error:
            if not _is_lost(connection):  # open, but of no use to the next borrower
                connection.terminate()
            self._lost.inc()
            _unavailable(error)
        except (asyncpg.InterfaceError, OSError, RuntimeError) as error:  # uvloop's for a closed socket
            await asyncio.sleep(0)  # the loop reports a closed socket in its next iteration
            if not _is_lost(connection):  # the caller's own trouble
                raise
            self._lost.inc()
            _unavailable(error)
        finally:
            self._in_use.dec()
            with contextlib.suppress(*BROKEN):
                await self._pool.release(connection, timeout=STOP_SECONDS)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Borrow a connection in a transaction: committed at the end, rolled back on any exception.

        Raises:
            Unavailable: as `acquire`. When it comes from the commit, the commit may have happened.
        """
        async with self.acquire() as connection, connection.transaction():
            yield connection

    async def fetch(self, sql: str, *args: object) -> list[asyncpg.Record]:
        """Run a statement and return its rows."""
        async with self.acquire() as connection:
            return await connection.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> asyncpg.Record | None:
        """Run a statement and return its first row, or None."""
        async with self.acquire() as connection:
            return await connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:
        """Run a statement and return the first column of its first row, or None."""
        async with self.acquire() as connection:
            return await connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> str:
        """Run a statement and return its status, for example "DELETE 1"."""
        async with self.acquire() as connection:
            return await connection.execute(sql, *args)


async def connect(parameters: ConnectionParameters, seconds: float = 10.0) -> Single:
    """Open one connection outside any pool, for migrations and for LISTEN.

    Raises:
        DatabaseUnusable: the server rejects us, or the URL is invalid.
        Unavailable: no server responds there.
    """
    with _connecting():
        return await asyncpg.connect(
            parameters.url, timeout=seconds, server_settings={"application_name": "picloud"}
        )


async def check(parameters: ConnectionParameters) -> None:
    """Check that the server is new enough and keeps text as UTF-8.

    Raises:
        DatabaseUnusable: it does not; the message says what is needed.
        Unavailable: no server responds there.
    """
    connection = await connect(parameters)
    try:
        version, encoding = connection.get_server_version(), connection.get_settings().server_encoding
    finally:
        await connection.close()
    if version.major < OLDEST_VERSION:
        raise DatabaseUnusable(
            f"the server of {parameters} is PostgreSQL {version.major}.{version.minor}; "
            f"PiCloud needs {OLDEST_VERSION} or later"
        )
    if encoding != "UTF8":
        raise DatabaseUnusable(
            f"the database {parameters} stores text as {encoding}; "
            "PiCloud needs a database created with ENCODING 'UTF8'"
        )


@contextlib.contextmanager
def _connecting() -> Iterator[None]:
    """Tell a server that rejects us from one that is not available now."""
    try:
        yield
    except (asyncpg.ClientConfigurationError, ValueError) as error:
        raise DatabaseUnusable("the database URL is not valid; check its options") from error
    except _REFUSED as error:
        raise DatabaseUnusable(f"the database server rejected the connection: {error}") from error
    except BROKEN as error:
        _unavailable(error)


def _is_lost(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # the pool has taken a broken connection back already
        return True


def _unavailable(error: BaseException) -> NoReturn:
    _log_lost("the database is not available: %s: %s", type(error).__name__, error)
    raise Unavailable() from error


async def _prepare(connection: Single) -> None:
    # jsonb in PostgreSQL's binary format is a version byte, 1, and then the text.
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda data: orjson.loads(memoryview(data)[1:]),
    )
