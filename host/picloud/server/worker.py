"""A worker process: creates its parts, serves requests, and shuts down gracefully."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import uvloop
from aiohttp import web

from picloud.config import Settings
from picloud.core.errors import PicloudError
from picloud.core.generations import TOPICS, Generations
from picloud.core.interface import InterfaceMismatch
from picloud.core.metrics import Metrics
from picloud.db.changes import CHANNEL
from picloud.db.listen import Listener
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database
from picloud.db.unusable import DatabaseUnusable
from picloud.execution.platform import Platform
from picloud.http.application import build_application
from picloud.http.edge.acceptor import Acceptor
from picloud.http.edge.connection import Rules, connections
from picloud.http.edge.drain import Drain
from picloud.http.open_streams import STREAMS, StreamRules
from picloud.identity.passwords import Passwords
from picloud.server.heartbeats import BEAT_SECONDS
from picloud.server.jobs.job import Resources
from picloud.server.jobs.scheduler import JobScheduler
from picloud.server.supervisor import WorkerSlot
from picloud.server.wiring import make_engine, open_platform
from picloud.services.files.folder import FolderStore, files_folder
from picloud.services.files.store import StoreUnusable

_log = logging.getLogger(__name__)

_CANCEL_SECONDS = 1.0  # for handlers to finish after they are cancelled


@dataclass(frozen=True, slots=True)
class Node:
    """What the parent shares with its workers.

    Attributes:
        settings: the configuration.
        parameters: of the database connection.
        generations: the shared page of generation counters.
        metrics: the shared page of metrics; the parent's slot comes after those of the workers.
        sockets: one listening socket per worker.
    """

    settings: Settings
    parameters: ConnectionParameters
    generations: Generations
    metrics: Metrics
    sockets: Sequence[socket.socket]


def run_worker(node: Node, worker_slot: WorkerSlot) -> int:
    """Run a worker until SIGTERM, and return the exit code of the process."""
    node.generations.own(worker_slot.slot)
    node.metrics.own(worker_slot.slot)
    for one in node.sockets:
        if one is not node.sockets[worker_slot.slot]:
            one.close()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_work(node, worker_slot))
    except (DatabaseUnusable, InterfaceMismatch, StoreUnusable, PicloudError) as error:
        _log.error("worker %d cannot start: %s", worker_slot.slot, error)
        return 1
    return 0


async def _work(node: Node, worker_slot: WorkerSlot) -> None:
    """Create the parts, listen, wait for SIGTERM, drain."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    _keep_beating(loop, worker_slot.beat)
    loop.add_reader(worker_slot.lifeline, os._exit, 1)  # the parent has ended, and the database with it
    listening = node.sockets[worker_slot.slot]
    async with _platform(node, worker_slot, listening.getsockname()[1]) as platform:
        application, drain = build_application(platform, _stream_rules(node.settings)), Drain()
        application.middlewares.insert(0, drain.middleware)
        runner = web.AppRunner(
            application,
            handler_cancellation=True,  # a client that disconnects frees its slot
            shutdown_timeout=_CANCEL_SECONDS,
        )
        await runner.setup()
        try:
            acceptor = Acceptor(listening, connections(runner, _rules(node.settings), node.metrics))
            gc.collect()
            gc.freeze()  # these objects live as long as the worker: exclude them from collections
            worker_slot.ready()
            await stop.wait()
            acceptor.close()
            application[STREAMS].close()  # clients reconnect to the next server
            await drain.wait(node.settings.shutdown_grace_seconds)
        finally:
            await runner.cleanup()


def _keep_beating(loop: asyncio.AbstractEventLoop, beat: Callable[[], None]) -> None:
    beat()
    loop.call_later(BEAT_SECONDS, _keep_beating, loop, beat)


@asynccontextmanager
async def _platform(node: Node, worker_slot: WorkerSlot, port: int) -> AsyncIterator[Platform]:
    settings, generations, metrics = node.settings, node.generations, node.metrics
    async with AsyncExitStack() as closing:
        database = await Database.open(node.parameters, settings.database_pool_size, metrics=metrics)
        closing.push_async_callback(database.close)
        if worker_slot.slot == 0:  # one listener per node: the other workers read the shared page
            listener = node_listener(node.parameters, generations)
            listener.start()
            closing.push_async_callback(listener.close)
        engine, passwords = make_engine(settings), Passwords()
        closing.callback(engine.close)
        closing.callback(passwords.close)
        platform = await closing.enter_async_context(
            open_platform(
                settings, database, generations, metrics, engine=engine, passwords=passwords, own_ports={port}
            )
        )
        store = FolderStore(files_folder(settings))
        closing.callback(store.close)
        jobs = JobScheduler(Resources.of(platform, settings, store), metrics)
        jobs.start()
        closing.push_async_callback(jobs.close)
        yield platform


def _rules(settings: Settings) -> Rules:
    return Rules(
        trusted=settings.trusted_proxies,
        head_seconds=settings.request_head_seconds,
        keep_alive_seconds=settings.keep_alive_seconds,
        send_seconds=settings.response_stall_seconds,
        connections=settings.max_connections,
        connections_per_address=settings.max_connections_per_address,
        held_bytes=settings.max_transfer_mb * 1024 * 1024,
    )


def _stream_rules(settings: Settings) -> StreamRules:
    return StreamRules(
        streams=settings.max_streams,
        streams_per_app=settings.max_streams_per_app,
        heartbeat_seconds=settings.stream_heartbeat_seconds,
    )


def node_listener(parameters: ConnectionParameters, generations: Generations) -> Listener:
    """Return the listener that bumps the node's generation counters on changes by other nodes.

    The caller must start and close it.
    """

    def changed(topic: str | None) -> None:
        # None: notifications may have been lost.
        for one in TOPICS if topic is None else (topic,):
            if one in TOPICS:
                generations.bump(one)

    listener = Listener(parameters)
    listener.subscribe(CHANNEL, changed)
    return listener
