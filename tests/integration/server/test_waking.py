"""A commit wakes every worker of every node; a lost connection wakes all waiters once."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from picloud.core.generations import TOPICS, Generations
from picloud.core.wakeup import Subscription, WakeUp
from picloud.db.changes import ChangeNotifier
from picloud.db.listen import Listener
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database
from picloud.server.worker import node_listener

PATIENCE = 30.0


@dataclass(frozen=True)
class Node:
    """A node whose two workers are one process here.

    Attributes:
        generations: its shared page.
        workers: what each worker waits with.
        listener: hears other nodes.
    """

    generations: Generations
    workers: list[WakeUp]
    listener: Listener


@contextlib.asynccontextmanager
async def node(parameters: ConnectionParameters) -> AsyncIterator[Node]:
    """Start one, and wait until it hears the others."""
    generations = Generations(2)
    workers = []
    for slot in range(2):
        generations.own(slot)
        workers.append(WakeUp(generations))
    listener = node_listener(parameters, generations)
    with workers[0].subscribe("routes") as first:
        listener.start()
        assert await first.wait(PATIENCE)  # of the first connect
    try:
        yield Node(generations, workers, listener)
    finally:
        await listener.close()
        for worker in workers:
            worker.close()


@pytest.fixture
async def nodes(connection_parameters: ConnectionParameters) -> AsyncIterator[list[Node]]:
    async with node(connection_parameters) as one, node(connection_parameters) as two:
        yield [one, two]


def waiting(nodes: list[Node], topic: str) -> list[Subscription]:
    return [worker.subscribe(topic) for node in nodes for worker in node.workers]


async def test_a_commit_wakes_every_worker_of_every_node(nodes: list[Node], database: Database) -> None:
    subscriptions = waiting(nodes, "routes")
    others = waiting(nodes, "users")
    async with ChangeNotifier(database, nodes[0].generations).transaction("routes") as connection:
        await connection.execute("SELECT 1")
    for subscription in subscriptions:
        assert await subscription.wait(PATIENCE)
    for other in others:
        assert not await other.wait(0)


async def test_the_workers_of_the_writers_node_are_woken_without_the_database(
    nodes: list[Node], database: Database
) -> None:
    await nodes[0].listener.close()
    subscriptions = waiting(nodes[:1], "routes")
    async with ChangeNotifier(database, nodes[0].generations).transaction("routes") as connection:
        await connection.execute("SELECT 1")
    for subscription in subscriptions:
        assert await subscription.wait(PATIENCE)


async def test_a_rollback_wakes_no_other_node(nodes: list[Node], database: Database) -> None:
    (subscription, *_) = waiting(nodes[1:], "routes")
    (after, *_) = waiting(nodes[1:], "users")
    changes = ChangeNotifier(database, nodes[0].generations)
    with pytest.raises(ZeroDivisionError):
        async with changes.transaction("routes"):
            raise ZeroDivisionError
    async with changes.transaction("users"):
        pass
    assert await after.wait(PATIENCE)
    assert not await subscription.wait(0)


async def test_after_a_lost_connection_everyone_is_woken_for_every_topic(
    nodes: list[Node], database: Database
) -> None:
    subscriptions = [one for topic in TOPICS for one in waiting(nodes, topic)]
    listening = "query ~ 'LISTEN' AND datname = current_database() AND pid <> pg_backend_pid()"
    ended = await database.fetch(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {listening}")
    assert len(ended) == len(nodes)
    for subscription in subscriptions:
        assert await subscription.wait(PATIENCE)
