"""The server: the one file that knows every part and wires them.

`serve` is the parent process: database, schema, first owner, then workers. `_work` is one worker:
the whole way of a request, from socket to response.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import uvloop
from aiohttp import web

from picloud.config import Settings
from picloud.config.table import cores
from picloud.control.health import Health
from picloud.control.scripts import modules
from picloud.control.seed import seed
from picloud.core.errors import PicloudError, Unavailable
from picloud.core.generations import TOPICS, Generations
from picloud.core.interface import InterfaceMismatch
from picloud.db.changes import CHANNEL, Changes
from picloud.db.embedded import EmbeddedPostgres
from picloud.db.listen import Listener
from picloud.db.migrate import latest_version, migrate
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database
from picloud.db.unusable import DatabaseUnusable
from picloud.execution.admission import Gate
from picloud.execution.capability_check import guarded
from picloud.execution.executor import Executor
from picloud.execution.platform import Services
from picloud.execution.record import Recorder
from picloud.http.application import build_application
from picloud.http.edge.acceptor import Acceptor
from picloud.http.edge.connection import Rules, connections
from picloud.http.edge.drain import Drain
from picloud.identity.passwords import Passwords
from picloud.identity.setup import Setup
from picloud.sandbox.cache import ImageCache
from picloud.sandbox.engine import Engine
from picloud.sandbox.limits import Ceilings
from picloud.sandbox.sandbox import Sandbox
from picloud.sandbox.store import ImageStore
from picloud.sandbox.threads import Threads
from picloud.server import banner
from picloud.server.jobs.retention import Retention
from picloud.server.jobs.usage import Upkeep
from picloud.server.sockets import allow_open_files, listen, warn_if_exposed
from picloud.server.supervisor import Place, Workers, in_child
from picloud.services import builtins
from picloud.services.docs import service as docs_service
from picloud.services.files import service as files_service
from picloud.services.files.folder import FolderStore
from picloud.services.files.store import StoreUnusable
from picloud.services.files.sweep import Sweep, claim
from picloud.services.kv import service as kv
from picloud.services.outbound import client
from picloud.services.outbound.configured import configured
from picloud.services.quotas import Quotas

_log = logging.getLogger(__name__)

_CUT_SECONDS = 1.0  # for handlers to notice that they are cut off
_SPARE_CONNECTIONS = 10  # of the embedded server: commands, LISTEN, PostgreSQL's own


@dataclass(frozen=True, slots=True)
class _Node:
    """What the parent hands to its workers.

    Attributes:
        settings: the configuration.
        parameters: how to reach the database.
        generations: the shared page.
        sockets: one per worker, listening.
    """

    settings: Settings
    parameters: ConnectionParameters
    generations: Generations
    sockets: Sequence[socket.socket]


def serve(settings: Settings) -> int:
    """Run a server until SIGINT or SIGTERM.

    Args:
        settings: the configuration.

    Returns:
        The exit code: 0 after a stop that was asked for.

    Raises:
        CannotListen, DatabaseUnusable, StoreUnusable, PicloudError: it cannot start; the text says why.
    """
    signal.signal(signal.SIGTERM, _interrupt)  # until the workers run, both signals end the start
    sockets = listen(settings.host, settings.port, settings.workers)
    warn_if_exposed(sockets[0], bool(settings.trusted_proxies), settings.admin_host is not None)
    allow_open_files(settings.max_connections)
    if settings.http_allow_private:
        _log.warning("scripts may call private addresses and this machine: PICLOUD_HTTP_ALLOW_PRIVATE is set")
    embedded = None
    if settings.database_url is None:
        connections = settings.workers * (settings.database_pool_size + 1) + _SPARE_CONNECTIONS
        embedded = EmbeddedPostgres(settings.data_dir, connections=connections)
    try:
        parameters = _database(settings, embedded)
        generations = Generations(settings.workers)
        _image_store(settings).clear()  # another guest, or other ceilings, make other images
        compiling = in_child(lambda: _engine(settings).close())
        try:
            token = asyncio.run(_prepare(settings, parameters, generations))
        except Unavailable as error:
            raise DatabaseUnusable(
                f"the database {parameters} does not answer: does its server run?"
            ) from error
        for thread in threading.enumerate():  # the parent forks: it must be alone
            if thread is not threading.current_thread():
                thread.join()
        os.waitpid(compiling, 0)  # if it failed, so will the workers, and say why
        node = _Node(settings, parameters, generations, sockets)
        port = sockets[0].getsockname()[1]

        def closing() -> None:
            for one in sockets:
                one.close()
            banner.stopping()

        return Workers(
            settings.workers,
            lambda place: _worker(node, place),
            grace=settings.shutdown_grace_seconds,
            on_ready=lambda: banner.ready(settings, port, token),
            on_stop=closing,
            watch=embedded.poll if embedded else lambda: None,
        ).run()
    finally:
        if embedded is not None:
            embedded.stop()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _database(settings: Settings, embedded: EmbeddedPostgres | None) -> ConnectionParameters:
    if embedded is not None:
        return embedded.start()
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    assert settings.database_url is not None
    return ConnectionParameters.of_url(settings.database_url)


async def _prepare(
    settings: Settings, parameters: ConnectionParameters, generations: Generations
) -> str | None:
    """Schema, files, first app, first owner. Returns: the token of a setup link when there is no user."""
    await migrate(parameters)
    database, passwords = await Database.open(parameters, 2), Passwords()
    FolderStore.prepare(_files(settings))
    store = FolderStore(_files(settings))
    try:
        await claim(database, store)
        changes = Changes(database, generations)
        await seed(changes)
        setup = Setup(database, changes, passwords)
        if settings.bootstrap_username is not None and settings.bootstrap_password is not None:
            await setup.bootstrap(settings.bootstrap_username, settings.bootstrap_password)
        return await setup.make_link()
    finally:
        await database.close()
        passwords.close()
        store.close()


def _worker(node: _Node, place: Place) -> int:
    node.generations.own(place.slot)
    for one in node.sockets:
        if one is not node.sockets[place.slot]:
            one.close()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_work(node, place))
    except (DatabaseUnusable, InterfaceMismatch, StoreUnusable, PicloudError) as error:
        _log.error("worker %d cannot work: %s", place.slot, error)
        return 1
    return 0


async def _work(node: _Node, place: Place) -> None:
    """One worker's life: wire, listen, wait for SIGTERM, drain."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(place.lifeline, os._exit, 1)  # the parent is gone, and the database with it
    grace = node.settings.shutdown_grace_seconds
    async with _services(node, place) as services:
        application, drain = build_application(services), Drain()
        application.middlewares.insert(0, drain.middleware)
        runner = web.AppRunner(
            application,
            handler_cancellation=True,  # a client that goes away frees its slot
            shutdown_timeout=_CUT_SECONDS,
        )
        await runner.setup()
        try:
            acceptor = Acceptor(node.sockets[place.slot], connections(runner, _rules(node.settings)))
            gc.collect()
            gc.freeze()  # what a worker is made of stays: the collector need not walk it again and again
            place.ready()
            await stop.wait()
            acceptor.close()
            await drain.wait(grace)
        finally:
            await runner.cleanup()


@asynccontextmanager
async def _services(node: _Node, place: Place) -> AsyncIterator[Services]:
    """Every part of a worker, made in the order of dependence and closed in reverse."""
    settings, generations = node.settings, node.generations
    async with AsyncExitStack() as closing:
        database = await Database.open(node.parameters, settings.database_pool_size)
        closing.push_async_callback(database.close)
        changes = Changes(database, generations)
        if place.slot == 0:  # one listener per node: what it hears reaches the others by the shared page
            listener = Listener(node.parameters)
            listener.subscribe(CHANNEL, lambda topic: _heard(generations, topic))
            listener.start()
            closing.push_async_callback(listener.close)

        engine = _engine(settings)
        closing.callback(engine.close)
        threads = Threads(cores())
        closing.callback(threads.close)
        images = ImageCache(settings.script_cache_size, settings.script_cache_mb, _image_store(settings))
        outbound = configured(settings, own_ports={node.sockets[place.slot].getsockname()[1]})
        closing.push_async_callback(outbound.close)
        store = FolderStore(_files(settings))
        quotas, searches = Quotas.configured(database, settings), docs_service.searches(database)
        files = files_service.Files(database, store, quotas)
        closing.push_async_callback(files.close)
        if place.slot == 0:
            sweep = Sweep(database, store)
            sweep.start()
            closing.push_async_callback(sweep.close)
        functions = {
            **kv.host_functions(kv.DatabaseKeyValue(database, quotas, searches)),
            **builtins.host_functions(),
            **modules.host_functions(modules.Modules(database, generations)),
            **docs_service.host_functions(docs_service.DatabaseDocs(database, quotas, searches)),
            **files_service.host_functions(files),
            **client.host_functions(outbound),
        }
        sandbox = Sandbox(engine, images, threads, guarded(functions, engine.interface))

        recorder = Recorder(database, generations)
        recorder.start()
        closing.push_async_callback(recorder.close)
        gate = Gate(settings.max_concurrent_executions, settings.app_slots)

        passwords = Passwords()
        closing.callback(passwords.close)
        if place.slot == 0:
            retention = Retention(database, settings.audit_retention_days, settings.execution_retention_days)
            retention.start()
            closing.push_async_callback(retention.close)
            upkeep = Upkeep(database)
            upkeep.start()
            closing.push_async_callback(upkeep.close)
        services = Services.assemble(
            database,
            changes,
            generations,
            executor=Executor(gate, sandbox, recorder),
            files=files,
            quotas=quotas,
            searches=searches,
            passwords=passwords,
            ceilings=Ceilings(settings.limits),
            health=Health(database, latest_version(), engine.info.sdk, engine.digest),
            session_ttl=timedelta(hours=settings.session_ttl_hours),
            sessions_per_user=settings.max_sessions_per_user,
            keys_per_user=settings.max_keys_per_user,
            body_seconds=settings.request_body_seconds,
            admin_host=settings.admin_host,
        )
        closing.push_async_callback(services.background.settled)
        yield services


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


def _engine(settings: Settings) -> Engine:
    # A compile holds a guest of its own beside the executions, so there are some more slots than permits.
    slots = settings.max_concurrent_executions + 16
    return Engine(settings.data_dir / "machine-code", slots, settings.ceilings["memory_limit_mb"])


def _files(settings: Settings) -> Path:
    return settings.data_dir / "files"


def _image_store(settings: Settings) -> ImageStore:
    return ImageStore(settings.data_dir / "images", settings.script_cache_mb)


def _heard(generations: Generations, topic: str | None) -> None:
    """A write on another node (or this one); None says that some may have been missed."""
    for changed in TOPICS if topic is None else (topic,):
        if changed in TOPICS:
            generations.bump(changed)
