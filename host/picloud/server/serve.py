"""The parent process: prepares database, schema and first owner, then runs the workers."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading

from picloud.config import Settings
from picloud.control.seed import seed
from picloud.core.errors import Invalid, StorageFull, Unavailable
from picloud.core.generations import Generations
from picloud.core.metrics import Metrics
from picloud.db.changes import ChangeNotifier
from picloud.db.embedded import EmbeddedPostgres
from picloud.db.migrate import migrate
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database
from picloud.db.unusable import DatabaseUnusable
from picloud.identity.account import check_username
from picloud.identity.passwords import Passwords, check_password
from picloud.identity.setup import Setup
from picloud.server import banner
from picloud.server.disk_reserve import DiskReserve
from picloud.server.memory import warn_if_too_much
from picloud.server.metrics import FAMILIES, RESTARTS
from picloud.server.sockets import allow_open_files, listen, warn_if_exposed
from picloud.server.steering import Steering
from picloud.server.supervisor import Workers, in_child
from picloud.server.wiring import image_store, make_engine
from picloud.server.worker import Node, run_worker
from picloud.services.files.folder import FolderStore, files_folder
from picloud.services.files.sweep import claim

_log = logging.getLogger(__name__)

_SPARE_CONNECTIONS = 10  # for commands, LISTEN and PostgreSQL itself


def serve(settings: Settings) -> int:
    """Run a server until SIGINT or SIGTERM.

    Args:
        settings: the configuration.

    Returns:
        The exit code: 0 after a requested stop.

    Raises:
        CannotListen, DatabaseUnusable, StoreUnusable, PicloudError: the server cannot start.
    """
    _check_bootstrap(settings)
    signal.signal(signal.SIGTERM, _interrupt)  # until the workers run, both signals abort the start
    sockets = listen(settings.host, settings.port, settings.workers)
    warn_if_exposed(sockets[0], bool(settings.trusted_proxies), settings.admin_host is not None)
    allow_open_files(settings.max_connections)
    if settings.http_allow_private:
        _log.warning("PICLOUD_HTTP_ALLOW_PRIVATE is set: scripts can call private addresses and this machine")
    warn_if_too_much(settings)
    embedded = None
    if settings.database_url is None:
        connections = settings.workers * (settings.database_pool_size + 1) + _SPARE_CONNECTIONS
        embedded = EmbeddedPostgres(settings.data_dir, connections=connections)
    try:
        parameters = _database(settings, embedded)
        generations = Generations(settings.workers)
        metrics = Metrics(FAMILIES, settings.workers + 1)
        metrics.own(settings.workers)
        image_store(settings).clear()  # the guest or the ceilings may have changed
        compiling = in_child(lambda: make_engine(settings).close())
        try:
            token = asyncio.run(_prepare(settings, parameters, generations))
        except StorageFull as error:
            raise DatabaseUnusable("the disk of the database is full; free some space") from error
        except Unavailable as error:
            raise DatabaseUnusable(
                f"the database {parameters} does not respond; check that its server runs"
            ) from error
        for thread in threading.enumerate():  # fork needs a process without other threads
            if thread is not threading.current_thread():
                thread.join()
        os.waitpid(compiling, 0)  # if it failed, the workers fail too, and report why
        node = Node(settings, parameters, generations, metrics, sockets)
        port = sockets[0].getsockname()[1]

        def closing() -> None:
            for one in sockets:
                one.close()
            banner.stopping()

        reserve = DiskReserve(settings.data_dir, settings.disk_reserve_mb << 20)

        def watch() -> None:
            if embedded is not None:
                embedded.poll()
                reserve.poll()

        def died(slot: int) -> None:
            metrics.clear_gauges(slot)
            metrics.series(RESTARTS).inc()

        return Workers(
            settings.workers,
            lambda worker_slot: run_worker(node, worker_slot),
            grace=settings.shutdown_grace_seconds,
            on_ready=lambda: banner.ready(settings, port, token),
            on_stop=closing,
            on_death=died,
            on_serving=Steering(sockets).only,
            watch=watch,
        ).run()
    finally:
        if embedded is not None:
            embedded.stop()


def _check_bootstrap(settings: Settings) -> None:
    """Check the first owner of the settings before anything starts. Raises: Invalid."""
    if settings.bootstrap_username is None or settings.bootstrap_password is None:
        return
    try:
        check_username(settings.bootstrap_username)
        check_password(settings.bootstrap_password)
    except Invalid as error:
        raise Invalid(f"PICLOUD_BOOTSTRAP_{str(error.details['field']).upper()}: {error.message}") from None


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
    """Prepare schema, files, first app and first owner. Returns: the setup token if there is no user."""
    await migrate(parameters)
    database, passwords = await Database.open(parameters, 2), Passwords()
    FolderStore.prepare(files_folder(settings))
    store = FolderStore(files_folder(settings))
    try:
        await claim(database, store)
        changes = ChangeNotifier(database, generations)
        await seed(changes)
        setup = Setup(database, changes, passwords)
        if settings.bootstrap_username is not None and settings.bootstrap_password is not None:
            await setup.bootstrap(settings.bootstrap_username, settings.bootstrap_password)
        return await setup.create_link()
    finally:
        await database.close()
        passwords.close()
        store.close()
