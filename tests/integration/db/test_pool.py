"""The pool with real servers: values, errors, and lost servers."""

from __future__ import annotations

import asyncio
import datetime
import uuid
from pathlib import Path

import asyncpg
import pytest

from picloud.core.errors import Unavailable
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database
from picloud.db.unusable import DatabaseUnusable


@pytest.mark.parametrize(
    "value",
    [{"a": [1, 2.5, None, True, "ü\U0001f600"]}, [], "text", 0, -(2**63), 1.5, False, {"": {}}],
)
async def test_jsonb_is_read_as_it_was_written(database: Database, value: object) -> None:
    assert await database.fetchval("SELECT $1::jsonb", value) == value


async def test_none_is_null_and_not_a_json_null(database: Database) -> None:
    assert await database.fetchval("SELECT $1::jsonb IS NULL", None) is True


async def test_uuid_and_time_are_python_values(database: Database) -> None:
    id_, now = uuid.uuid4(), datetime.datetime.now(datetime.UTC)
    row = await database.fetchrow("SELECT $1::uuid AS id, $2::timestamptz AS at", id_, now)
    assert row is not None
    assert isinstance(row["id"], uuid.UUID)
    assert (row["id"], row["at"]) == (id_, now)


async def test_a_transaction_is_rolled_back_by_any_exception(database: Database) -> None:
    async def write_and_fail() -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO instance_settings (name, value) VALUES ('a', '1')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await write_and_fail()
    assert await database.fetch("SELECT * FROM instance_settings") == []


async def test_a_released_connection_carries_no_open_transaction_to_the_next_borrower(
    database: Database,
) -> None:
    async with database.acquire() as connection:
        await connection.execute("BEGIN; INSERT INTO instance_settings (name, value) VALUES ('a', '1')")
    assert await database.fetch("SELECT * FROM instance_settings") == []


async def test_errors_of_a_statement_reach_the_caller(database: Database) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        await database.execute("SELECT * FROM no_such_table")


async def test_an_os_error_of_the_borrower_is_its_own(database: Database) -> None:
    with pytest.raises(FileNotFoundError):
        async with database.acquire():
            Path("/no/such/file").read_bytes()


async def test_a_pool_in_use_up_to_the_last_connection_is_unavailable(
    connection_parameters: ConnectionParameters,
) -> None:
    database = await Database.open(connection_parameters, 1, acquire_seconds=0.05)
    async with database.acquire():
        with pytest.raises(Unavailable):
            await database.fetchval("SELECT 1")
    assert await database.fetchval("SELECT 1") == 1
    await database.close()


async def test_a_statement_that_ignores_its_cancellation_keeps_its_connection(
    database: Database, connection_parameters: ConnectionParameters
) -> None:
    running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query ~ '^SELECT strpos'"
    pool = await Database.open(connection_parameters, 1, acquire_seconds=0.05)
    # It takes most of a second, and nothing ends it before.
    endless = "SELECT strpos(repeat('a', 200000), 'b' || repeat('a', 10000))"
    statement = asyncio.create_task(pool.execute(endless))
    while not await database.fetchval(running):
        pass
    statement.cancel()
    with pytest.raises(asyncio.CancelledError):
        await statement
    assert await database.fetchval(running) == 0
    assert await pool.fetchval("SELECT 1") == 1
    await pool.close()


async def test_a_connection_that_is_cut_while_in_use_is_unavailable_and_the_pool_recovers(
    connection_parameters: ConnectionParameters,
) -> None:
    database = await Database.open(connection_parameters, 2)
    killer = await Database.open(connection_parameters, 1)

    victim: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def sleep() -> None:
        async with database.transaction() as connection:
            victim.set_result(await connection.fetchval("SELECT pg_backend_pid()"))
            await connection.execute("SELECT pg_sleep(60)")

    sleeping = asyncio.create_task(sleep())
    await killer.execute("SELECT pg_terminate_backend($1)", await victim)
    with pytest.raises(Unavailable):
        await sleeping
    assert await database.fetchval("SELECT 1") == 1
    await database.close()
    await killer.close()


async def test_close_cuts_a_connection_that_is_not_given_back(
    connection_parameters: ConnectionParameters,
) -> None:
    database = await Database.open(connection_parameters, 1)

    async def close_while_in_use() -> None:
        async with database.acquire() as connection:
            await database.close(seconds=0.05)
            await connection.fetchval("SELECT 1")

    with pytest.raises(Unavailable):
        await close_while_in_use()


async def test_a_closed_pool_is_unavailable(connection_parameters: ConnectionParameters) -> None:
    database = await Database.open(connection_parameters, 1)
    await database.close()
    with pytest.raises(Unavailable):
        await database.fetchval("SELECT 1")


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        await Database.open(ConnectionParameters.of_socket(tmp_path, "picloud", "postgres"))


async def test_a_database_that_does_not_exist_is_named(postgres: ConnectionParameters) -> None:
    with pytest.raises(DatabaseUnusable, match="nowhere"):
        await Database.open(postgres.of_database("nowhere"))


async def test_a_database_without_utf8_is_rejected(postgres: ConnectionParameters) -> None:
    owner = await Database.open(postgres, 1)
    await owner.execute(
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'"
    )
    try:
        with pytest.raises(DatabaseUnusable, match=r"LATIN1.*UTF8"):
            await Database.open(postgres.of_database("latin"))
    finally:
        await owner.execute("DROP DATABASE latin")
        await owner.close()
