"""The services and components of one worker, as one object for HTTP, events and commands."""

from __future__ import annotations

from dataclasses import dataclass

from picloud.control.app_settings import AppSettingsStore
from picloud.control.apps import Apps
from picloud.control.domains import Domains
from picloud.control.execution_feed import ExecutionFeed
from picloud.control.executions import Executions
from picloud.control.health import Health
from picloud.control.routed_scripts import RoutedScripts
from picloud.control.routes import Routes
from picloud.control.routing_cache import RoutingCache
from picloud.control.scripts.modules import Modules
from picloud.control.scripts.service import Scripts
from picloud.control.scripts.versions import ScriptVersions
from picloud.core.background import Background
from picloud.core.disk_space import DiskSpace
from picloud.core.generations import Generations
from picloud.core.metrics import Metrics
from picloud.core.wakeup import WakeUp
from picloud.db.changes import ChangeNotifier
from picloud.db.pool import Database
from picloud.execution.executor import Executor
from picloud.execution.live_scripts import LiveScripts
from picloud.identity.accounts import Accounts
from picloud.identity.audit import Audit
from picloud.identity.keys import Keys
from picloud.identity.login import LogIn
from picloud.identity.members import Members
from picloud.identity.principals import Principals
from picloud.identity.sessions import Sessions
from picloud.identity.setup import Setup
from picloud.sandbox.limits import Ceilings
from picloud.services.quotas import Quotas
from picloud.services.service import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """The components of one worker; `server/wiring.py` creates them for the server, commands and tests."""

    # Infrastructure.
    database: Database
    space: DiskSpace
    changes: ChangeNotifier
    generations: Generations
    metrics: Metrics
    wake_up: WakeUp
    background: Background

    # Identity.
    accounts: Accounts
    members: Members
    log_in: LogIn
    sessions: Sessions
    keys: Keys
    principals: Principals
    audit: Audit
    setup: Setup

    # The control plane.
    apps: Apps
    settings: AppSettingsStore
    scripts: Scripts
    script_versions: ScriptVersions
    modules: Modules
    routes: Routes
    domains: Domains
    executions: Executions
    execution_feed: ExecutionFeed
    directory: RoutingCache
    health: Health

    # Executions.
    live_scripts: LiveScripts
    routed_scripts: RoutedScripts
    executor: Executor
    ceilings: Ceilings

    # Services of scripts.
    services: Services
    quotas: Quotas

    # The admin API.
    body_seconds: float
    """Timeout for the body of a request, in seconds."""
    admin_host: str | None
    """The host of the admin API, or None for every host."""
    metrics_token: str | None
    """Token for metrics from other machines, or None."""
