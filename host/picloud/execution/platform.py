"""Everything that HTTP, events and commands call: the parts of one worker, as one object."""

from __future__ import annotations

from dataclasses import dataclass

from picloud.control.app_settings import AppSettingsStore
from picloud.control.apps import Apps
from picloud.control.domains import Domains
from picloud.control.execution_feed import ExecutionFeed
from picloud.control.executions import Executions
from picloud.control.health import Health
from picloud.control.routes import Routes
from picloud.control.routing_cache import RoutingCache
from picloud.control.scripts.modules import Modules
from picloud.control.scripts.service import Scripts
from picloud.control.scripts.versions import ScriptVersions
from picloud.core.background import Background
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
    """The parts of one worker; `server/wiring.py` makes them, for the server, commands and tests alike."""

    # What all parts stand on.
    database: Database
    changes: ChangeNotifier
    generations: Generations
    metrics: Metrics
    wake_up: WakeUp
    background: Background

    # Who may do what.
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
    executor: Executor
    ceilings: Ceilings

    # What scripts can do, and what apps store.
    services: Services
    quotas: Quotas

    # The admin API.
    body_seconds: float
    """How long the body of a request may take to arrive, in seconds."""
    admin_host: str | None
    """The only host the admin API answers on, or None for every host."""
    metrics_token: str | None
    """Opens the metrics to other machines, or None."""
