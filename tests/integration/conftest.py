"""PiCloud without HTTP, wired as in the server, with a real database and a real guest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

import orjson
import pytest
from argon2 import PasswordHasher

from picloud.config import Settings
from picloud.core.generations import Generations
from picloud.core.metrics import Metrics
from picloud.db.changes import ChangeNotifier
from picloud.db.pool import Database
from picloud.execution.admission import Admission
from picloud.execution.platform import Platform
from picloud.execution.record import Recorder
from picloud.identity.account import User
from picloud.identity.actor import Actor
from picloud.identity.capabilities import SCOPES
from picloud.identity.keys import NewKey
from picloud.identity.passwords import Passwords
from picloud.identity.principal import AppRole, Role
from picloud.sandbox.engine import Engine
from picloud.server.metrics import FAMILIES
from picloud.server.wiring import open_platform
from picloud.services.call_context import Call
from picloud.services.files import SERVICE as FILES
from picloud.services.files.folder import FolderStore, files_folder
from tests.cache import machine_code

SLOTS = 64
CONSOLE = Actor.console("test.arrange")
PASSWORD = "correct horse"


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The guest, compiled once for this checkout."""
    engine = Engine(machine_code(), SLOTS, 256)
    yield engine
    engine.close()


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    """argon2id, as cheap as it can be: tests are not guessed at."""
    passwords = Passwords(hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    yield passwords
    passwords.close()


@dataclass(frozen=True, slots=True)
class Worker:
    """What the processes of a node share in production, and one worker's parts.

    Attributes:
        services: what HTTP stands on.
        database: the pool.
        changes: announces writes.
        generations: the shared page.
        metrics: that of counters.
        recorder: writes the execution log.
        gate: bounds executions.
    """

    platform: Platform
    database: Database
    changes: ChangeNotifier
    generations: Generations
    metrics: Metrics
    recorder: Recorder
    admission: Admission

    async def person(
        self, username: str, role: Role = "member", app_id: UUID | None = None, app_role: AppRole = "viewer"
    ) -> User:
        """Make a user with `PASSWORD`, a member of an app where one is given."""
        user = await self.platform.accounts.create(username, PASSWORD, role, CONSOLE)
        if app_id is not None:
            await self.platform.members.grant(app_id, username, app_role, CONSOLE)
        return user

    async def session_of(self, user: User) -> str:
        """Log a user in; returns the token."""
        opened = await self.platform.sessions.open(user.id, user.username, user.role, CONSOLE)
        return opened.token

    async def key_of(
        self,
        user: User,
        scopes: Sequence[str] = SCOPES,
        app_id: UUID | None = None,
        expires_at: datetime | None = None,
    ) -> str:
        """Make a key of a user's as they would in person; returns the key itself."""
        caller = await self.platform.principals.of_token(await self.session_of(user))
        assert caller is not None
        new = NewKey(name="test", scopes=scopes, app_id=app_id, expires_at=expires_at)
        _, secret = await self.platform.keys.create(new, caller, CONSOLE)
        return secret

    async def app(self, slug: str) -> UUID:
        """Make an app; returns its id."""
        return (await self.platform.apps.create(slug, slug, actor=CONSOLE)).id

    async def file(self, app: str, collection: str, name: str = "f.txt", data: bytes = b"bytes") -> str:
        """Store a file as a script of an app would; returns its id."""
        call = Call((await self.platform.apps.get(app)).id, uuid4(), uuid4())
        entry = await self.platform.services.of(FILES).create(
            call, collection, name, "text/plain", None, data
        )
        return str(orjson.loads(entry)["id"])


@pytest.fixture
async def worker(
    database: Database, engine: Engine, passwords: Passwords, tmp_path: Path
) -> AsyncIterator[Worker]:
    """One worker on a database of this test's own, wired as the server does it; nothing is seeded."""
    settings = Settings(
        data_dir=tmp_path,
        script_cache_size=64,
        script_cache_mb=16,
        max_concurrent_executions=32,
        app_share=32,
        request_body_seconds=5,
    )
    FolderStore.prepare(files_folder(settings))
    generations, metrics = Generations(), Metrics(FAMILIES)
    async with open_platform(
        settings, database, generations, metrics, engine=engine, passwords=passwords
    ) as platform:
        yield Worker(
            platform,
            database,
            platform.changes,
            generations,
            metrics,
            platform.executor.recorder,
            platform.executor.admission,
        )
