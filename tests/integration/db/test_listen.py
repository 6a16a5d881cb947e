"""LISTEN on one connection that reconnects by itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from picloud.db.listen import Listener
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database

Heard = asyncio.Queue[tuple[str, str | None]]


@pytest.fixture
async def heard() -> Heard:
    return asyncio.Queue()


@pytest.fixture
async def listener(connection_parameters: ConnectionParameters, heard: Heard) -> AsyncIterator[Listener]:
    """A started listener on the channels "a" and "b" that has told to read everything."""
    listener = Listener(connection_parameters, probe_seconds=0.05)
    for channel in ("a", "b"):
        listener.subscribe(channel, lambda payload, channel=channel: heard.put_nowait((channel, payload)))  # type: ignore[misc]
    listener.start()
    assert [await heard.get(), await heard.get()] == [("a", None), ("b", None)]
    yield listener
    await listener.close()


async def test_a_notification_reaches_the_callbacks_of_its_channel_only(
    listener: Listener, heard: Heard, database: Database
) -> None:
    await database.execute("SELECT pg_notify('b', 'one'), pg_notify('elsewhere', 'x'), pg_notify('a', '')")
    assert [await heard.get(), await heard.get()] == [("b", "one"), ("a", "")]
    assert heard.empty()


async def test_after_a_lost_connection_all_is_read_again_and_listening_continues(
    listener: Listener, heard: Heard, database: Database
) -> None:
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    await database.fetch(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    assert [await heard.get(), await heard.get()] == [("a", None), ("b", None)]
    await database.execute("NOTIFY a, 'again'")
    assert await heard.get() == ("a", "again")


async def test_a_failed_callback_does_not_affect_others(
    connection_parameters: ConnectionParameters,
    database: Database,
    heard: Heard,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(payload: str | None) -> None:
        raise ZeroDivisionError

    listener = Listener(connection_parameters)
    listener.subscribe("a", fail)
    listener.subscribe("a", lambda payload: heard.put_nowait(("a", payload)))
    listener.start()
    with caplog.at_level(logging.ERROR):
        assert await heard.get() == ("a", None)
        await database.execute("NOTIFY a, 'x'")
        assert await heard.get() == ("a", "x")
    assert "ZeroDivisionError" in caplog.text
    await listener.close()


async def test_close_ends_the_connection(listener: Listener, database: Database) -> None:
    await listener.close()
    await listener.close()
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    while await database.fetchval(f"{others} AND pg_sleep(0.01) IS NOT NULL"):
        pass


async def test_a_late_subscription_is_rejected(listener: Listener) -> None:
    with pytest.raises(RuntimeError, match="before start"):
        listener.subscribe("c", lambda payload: None)
