"""Fixtures for all tests: one embedded PostgreSQL per session, a new database per test."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator

import hypothesis
import pytest

from picloud.core import repeated_log
from picloud.db.embedded import EmbeddedPostgres
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database, connect
from tests.cache import SETTINGS, TEMPLATE, copy_cluster
from tests.scratch import scratch_folder

# A busy machine is slow, and slowness is not what the tests are about.
hypothesis.settings.register_profile(
    "picloud", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("picloud")

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest tests first, so that with pytest-xdist none is still running when all else is done."""
    items.sort(key=lambda item: (not item.get_closest_marker("soak"), not item.get_closest_marker("slow")))


@pytest.fixture(autouse=True)
def every_message_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Log messages that repeat again in each test, also if an earlier test logged them."""
    monkeypatch.setattr(repeated_log, "PERIOD_SECONDS", 0.0)


@pytest.fixture(scope="session")
def postgres() -> Iterator[ConnectionParameters]:
    """A PostgreSQL server for the whole session, with a migrated database named `TEMPLATE`.

    With pytest-xdist each worker has its own. It ends with this process, however that ends. It may
    forget what it wrote when the machine stops; tests of durability start a server of their own.
    """
    with scratch_folder(0o711) as folder:
        copy_cluster(folder)
        server = EmbeddedPostgres(folder, connections=200, settings=SETTINGS)
        try:
            yield server.start()
        finally:
            server.stop(seconds=5)


@pytest.fixture
def empty_database(postgres: ConnectionParameters) -> Iterator[ConnectionParameters]:
    """A database of this test's own without any table."""
    yield from _fresh(postgres, "template0")


@pytest.fixture
def connection_parameters(postgres: ConnectionParameters) -> Iterator[ConnectionParameters]:
    """A database of this test's own with the current schema."""
    yield from _fresh(postgres, TEMPLATE)


@pytest.fixture
def database_url(connection_parameters: ConnectionParameters) -> str:
    """The URL of this test's database, as an operator would give it in PICLOUD_DATABASE_URL."""
    return connection_parameters.url


@pytest.fixture
async def database(connection_parameters: ConnectionParameters) -> AsyncIterator[Database]:
    """An open pool on this test's database."""
    database = await Database.open(connection_parameters, 5)
    yield database
    await database.close()


def _fresh(server: ConnectionParameters, template: str) -> Iterator[ConnectionParameters]:
    name = f"test_{next(_numbers)}"
    # Copying files takes a third of what writing the pages to the log takes.
    asyncio.run(_execute(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"))
    yield server.of_database(name)
    asyncio.run(_execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(parameters: ConnectionParameters, sql: str) -> None:
    connection = await connect(parameters)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
