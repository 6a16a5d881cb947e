"""Wiring: creates all parts of a worker, for the server, commands and tests alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from picloud.config import Settings
from picloud.config.machine import cores
from picloud.control import executions
from picloud.control.app_settings import AppSettingsStore
from picloud.control.apps import Apps
from picloud.control.domains import Domains
from picloud.control.execution_feed import ExecutionFeed
from picloud.control.executions import Executions
from picloud.control.health import Health
from picloud.control.routed_scripts import RoutedScripts
from picloud.control.routes import Routes
from picloud.control.routing_cache import RoutingCache
from picloud.control.scripts import versions as script_versions
from picloud.control.scripts.modules import Modules
from picloud.control.scripts.service import Scripts
from picloud.control.scripts.versions import ScriptVersions
from picloud.core.background import Background
from picloud.core.disk_space import DiskSpace
from picloud.core.generations import Generations
from picloud.core.metrics import Metrics
from picloud.core.wakeup import WakeUp
from picloud.db.changes import ChangeNotifier
from picloud.db.migrate import latest_version
from picloud.db.pool import Database
from picloud.execution.admission import Admission
from picloud.execution.capability_check import with_capability_checks
from picloud.execution.executor import Executor
from picloud.execution.live_scripts import LiveScripts
from picloud.execution.log_rate import LogRate
from picloud.execution.platform import Platform
from picloud.execution.record import Recorder, all_written
from picloud.execution.redaction import Redaction
from picloud.identity.accounts import Accounts
from picloud.identity.audit import Audit
from picloud.identity.keys import Keys
from picloud.identity.login import LogIn
from picloud.identity.members import Members
from picloud.identity.passwords import Passwords
from picloud.identity.principals import Principals
from picloud.identity.sessions import Sessions
from picloud.identity.setup import Setup
from picloud.identity.tokens import SESSION_COOKIES
from picloud.outbox.write import Outbox
from picloud.sandbox.cache import ImageCache
from picloud.sandbox.compiling import Compiling
from picloud.sandbox.engine import Engine
from picloud.sandbox.limits import MIB, Ceilings
from picloud.sandbox.memory import GuestMemory
from picloud.sandbox.sandbox import Sandbox
from picloud.sandbox.store import ImageStore
from picloud.sandbox.threads import Threads
from picloud.services import SERVICES
from picloud.services.docs.service import searches
from picloud.services.quotas import Quotas
from picloud.services.service import Dependencies, Services
from picloud.services.writes import Writes


@asynccontextmanager
async def open_platform(
    settings: Settings,
    database: Database,
    generations: Generations,
    metrics: Metrics,
    *,
    engine: Engine,
    passwords: Passwords,
    own_ports: Collection[int] = (),
) -> AsyncIterator[Platform]:
    """Create all parts of a worker in order of dependency, and close them in reverse order.

    The caller must close the objects it passes in.

    Args:
        settings: the configuration.
        database: the pool.
        generations: the node's shared page of generation counters.
        metrics: the node's shared page of metrics.
        engine: creates guest instances.
        passwords: hashes passwords.
        own_ports: ports this instance listens on; scripts cannot call them.
    """
    async with AsyncExitStack() as closing:
        changes, background = ChangeNotifier(database, generations), Background()
        closing.push_async_callback(background.drain)
        wake_up = WakeUp(generations)
        closing.callback(wake_up.close)
        ceilings = Ceilings(settings.limits)
        space = disk_space(settings)

        quotas = Quotas.configured(
            database,
            settings,
            (*(service.quota for service in SERVICES), script_versions.QUOTA, executions.QUOTA),
        )
        services = Services(
            SERVICES,
            Dependencies(
                settings=settings,
                database=database,
                changes=changes,
                generations=generations,
                writes=Writes(database, quotas, Outbox(), space),
                searches=searches(database),
                own_ports=own_ports,
                closing=closing,
            ),
        )

        threads = Threads(cores())
        closing.callback(threads.close)
        functions = with_capability_checks(services.host_functions, engine.interface)
        images = ImageCache(
            settings.script_cache_size, settings.script_cache_mb, image_store(settings), metrics=metrics
        )
        compiling = Compiling(settings.compile_fuel_per_minute)
        memory = GuestMemory(settings.worker_memory, settings.worker_app_memory, metrics)
        sandbox = Sandbox(engine, images, threads, functions, SESSION_COOKIES, compiling, memory)
        redaction = Redaction(settings.redact_names)
        rate = LogRate(settings.quota_log_mb * MIB)
        recorder = Recorder(database, generations, metrics, redaction, rate, space)
        recorder.start()
        closing.push_async_callback(recorder.close)
        admission = Admission(
            settings.max_concurrent_executions,
            settings.app_slots,
            {"event": settings.event_slots},
            metrics,
        )
        executor = Executor(admission, sandbox, recorder, metrics)

        execution_feed = ExecutionFeed(database, wake_up, lambda: all_written(metrics))
        closing.push_async_callback(execution_feed.close)

        session_ttl = timedelta(hours=settings.session_ttl_hours)
        modules = Modules(database)
        accounts = Accounts(database, changes, passwords)
        sessions = Sessions(database, changes, session_ttl, settings.max_sessions_per_user)
        yield Platform(
            database=database,
            space=space,
            changes=changes,
            generations=generations,
            metrics=metrics,
            wake_up=wake_up,
            background=background,
            accounts=accounts,
            members=Members(database, changes),
            log_in=LogIn(database, accounts, passwords, sessions, background),
            sessions=sessions,
            keys=Keys(database, changes, settings.max_keys_per_user),
            principals=Principals(database, generations, background, session_ttl),
            audit=Audit(database),
            setup=Setup(database, changes, passwords),
            apps=Apps(database, changes),
            settings=AppSettingsStore(database, changes),
            scripts=Scripts(database, changes, executor, ceilings, quotas),
            script_versions=ScriptVersions(database),
            modules=modules,
            routes=Routes(database, changes, settings.admin_host),
            domains=Domains(database, changes, settings.admin_host),
            executions=Executions(database, lambda: all_written(metrics)),
            execution_feed=execution_feed,
            directory=RoutingCache(database, generations, settings.default_app),
            health=Health(database, latest_version(), engine.info.sdk, engine.digest, space),
            routed_scripts=RoutedScripts(database, generations),
            live_scripts=LiveScripts(database, modules, generations, ceilings),
            executor=executor,
            ceilings=ceilings,
            services=services,
            quotas=quotas,
            body_seconds=settings.request_body_seconds,
            admin_host=settings.admin_host,
            metrics_token=settings.metrics_token,
        )


def make_engine(settings: Settings) -> Engine:
    """Create the engine of a process."""
    # Compiling needs a guest instance too, so there are more slots than permits for executions.
    slots = settings.max_concurrent_executions + 16
    return Engine(settings.data_dir / "machine-code", slots, settings.ceilings["memory_limit_mb"])


def disk_space(settings: Settings) -> DiskSpace:
    """Return the space of the disk of the embedded database; an external database reports its own."""
    if settings.database_url is not None:
        return DiskSpace()
    return DiskSpace(settings.data_dir, settings.disk_reserve_mb << 20)


def image_store(settings: Settings) -> ImageStore:
    """Return the store of compiled scripts that the node's workers share."""
    return ImageStore(settings.data_dir / "images", settings.script_cache_mb)
