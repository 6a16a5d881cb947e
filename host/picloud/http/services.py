"""What the HTTP layer stands on, wired by server.py."""

from __future__ import annotations

from dataclasses import dataclass

from picloud.execution.executor import Executor
from picloud.execution.scripts import LiveScripts
from picloud.identity.sessions import Sessions
from picloud.identity.setup import Setup
from picloud.identity.users import Users
from picloud.sandbox.limits import Ceilings
from picloud.services.apps import Apps
from picloud.services.directory import Directory
from picloud.services.domains import Domains
from picloud.services.executions import Executions
from picloud.services.health import Health
from picloud.services.routes import Routes
from picloud.services.scripts import Scripts


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything handlers call.

    Attributes:
        apps: apps.
        scripts: scripts and versions.
        routes: routes.
        domains: claims.
        executions: the log as people read it.
        users: users and their log-in.
        sessions: bearer tokens.
        setup: the first start.
        directory: routing tables in memory.
        live_scripts: current script versions in memory.
        executor: runs scripts.
        ceilings: limits of this instance.
        health: readiness and versions.
        body_seconds: how long the body of a request may take to arrive.
    """

    apps: Apps
    scripts: Scripts
    routes: Routes
    domains: Domains
    executions: Executions
    users: Users
    sessions: Sessions
    setup: Setup
    directory: Directory
    live_scripts: LiveScripts
    executor: Executor
    ceilings: Ceilings
    health: Health
    body_seconds: float = 30.0
