"""What the HTTP layer stands on, wired by server.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from picloud.control.app_settings import Settings
from picloud.control.apps import Apps
from picloud.control.domains import Domains
from picloud.control.executions import Executions
from picloud.control.health import Health
from picloud.control.routes import Routes
from picloud.control.routing_cache import Directory
from picloud.control.scripts.modules import Modules
from picloud.control.scripts.service import Scripts
from picloud.control.scripts.versions import ScriptVersions
from picloud.core.app_limiter import Turns
from picloud.core.background import Background
from picloud.core.generations import Generations
from picloud.db.changes import Changes
from picloud.db.pool import Database
from picloud.execution.executor import Executor
from picloud.execution.live_scripts import LiveScripts
from picloud.execution.record import all_written
from picloud.identity.accounts import Users
from picloud.identity.audit import Audit
from picloud.identity.credentials import Credentials
from picloud.identity.keys import MOST_KEYS, Keys
from picloud.identity.login import LogIn
from picloud.identity.members import Members
from picloud.identity.passwords import Passwords
from picloud.identity.sessions import MOST_SESSIONS, Sessions
from picloud.identity.setup import Setup
from picloud.sandbox.limits import Ceilings
from picloud.services.docs.admin import DocBrowser
from picloud.services.files.admin import FileBrowser
from picloud.services.files.service import Files
from picloud.services.kv.admin import KvBrowser
from picloud.services.quotas import Quotas


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything handlers call.

    Attributes:
        apps: apps.
        settings: their settings.
        scripts: scripts.
        script_versions: what they were.
        modules: what they import.
        routes: routes.
        domains: claims.
        executions: the log as people read it.
        users: users.
        members: who is in which app.
        log_in: from a password to a session.
        sessions: log-ins that last.
        keys: API keys.
        credentials: who is behind a token of any kind.
        background: small writes that nobody waits for.
        audit: who did what.
        setup: the first start.
        directory: routing tables in memory.
        live_scripts: current script versions in memory.
        executor: runs scripts.
        files: files of apps.
        file_browser: files as people look through them.
        docs: documents as people look through them.
        kv: entries as people look through them.
        quotas: what apps keep and what they may.
        ceilings: limits of this instance.
        health: readiness and versions.
        body_seconds: how long the body of a request may take to arrive.
        admin_host: the only host that the admin API answers on, or None for all.
    """

    apps: Apps
    settings: Settings
    scripts: Scripts
    script_versions: ScriptVersions
    modules: Modules
    routes: Routes
    domains: Domains
    executions: Executions
    users: Users
    members: Members
    log_in: LogIn
    sessions: Sessions
    keys: Keys
    credentials: Credentials
    background: Background
    audit: Audit
    setup: Setup
    directory: Directory
    live_scripts: LiveScripts
    executor: Executor
    files: Files
    file_browser: FileBrowser
    docs: DocBrowser
    kv: KvBrowser
    quotas: Quotas
    ceilings: Ceilings
    health: Health
    body_seconds: float = 30.0
    admin_host: str | None = None

    @classmethod
    def assemble(
        cls,
        database: Database,
        changes: Changes,
        generations: Generations,
        *,
        executor: Executor,
        files: Files,
        quotas: Quotas,
        searches: Turns,
        passwords: Passwords,
        ceilings: Ceilings,
        health: Health,
        session_ttl: timedelta = timedelta(hours=24),
        sessions_per_user: int = MOST_SESSIONS,
        keys_per_user: int = MOST_KEYS,
        body_seconds: float = 30.0,
        admin_host: str | None = None,
    ) -> Services:
        """Make every service of a worker from what they stand on.

        Args:
            database: the pool.
            changes: makes writes known.
            generations: the node's shared page.
            executor: runs scripts.
            files: files of apps.
            quotas: what apps keep and what they may.
            searches: turns of those in documents, and of counting all that an app keeps.
            passwords: hashes them.
            ceilings: limits of this instance.
            health: readiness and versions.
            session_ttl: how long a session lives after it was last used.
            sessions_per_user: most of them; one more ends another.
            keys_per_user: most of them; one more is refused.
            body_seconds: how long the body of a request may take to arrive.
            admin_host: the only host that the admin API answers on, or None for all.

        Returns:
            The services; the caller closes what it gave.
        """
        modules = Modules(database, generations)
        users = Users(database, changes, passwords)
        sessions = Sessions(database, changes, session_ttl, sessions_per_user)
        background = Background()
        return cls(
            apps=Apps(database, changes),
            settings=Settings(database, changes),
            scripts=Scripts(database, changes, executor, ceilings, quotas),
            script_versions=ScriptVersions(database),
            modules=modules,
            routes=Routes(database, changes, admin_host),
            domains=Domains(database, changes, admin_host),
            executions=Executions(database, lambda: all_written(generations)),
            users=users,
            members=Members(database, changes),
            log_in=LogIn(database, users, passwords, sessions, background),
            sessions=sessions,
            keys=Keys(database, changes, keys_per_user),
            credentials=Credentials(database, generations, background, session_ttl),
            background=background,
            audit=Audit(database),
            setup=Setup(database, changes, passwords),
            directory=Directory(database, generations),
            live_scripts=LiveScripts(modules, generations, ceilings),
            executor=executor,
            files=files,
            file_browser=FileBrowser(database, files, searches),
            docs=DocBrowser(database, quotas, searches),
            kv=KvBrowser(database, quotas, searches),
            quotas=quotas,
            ceilings=ceilings,
            health=health,
            body_seconds=body_seconds,
            admin_host=admin_host,
        )
