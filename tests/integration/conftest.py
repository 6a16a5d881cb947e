"""The whole of PiCloud below HTTP, wired as the server wires it, on a real database and a real guest."""

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
from picloud.control.health import Health
from picloud.control.scripts import modules
from picloud.core.generations import Generations
from picloud.db.changes import Changes
from picloud.db.migrate import latest_version
from picloud.db.pool import Database
from picloud.execution.admission import Gate
from picloud.execution.capability_check import guarded
from picloud.execution.executor import Executor
from picloud.execution.platform import Services
from picloud.execution.record import Recorder
from picloud.identity.account import User
from picloud.identity.actor import Actor
from picloud.identity.capabilities import SCOPES
from picloud.identity.keys import NewKey
from picloud.identity.passwords import Passwords
from picloud.identity.principal import AppRole, Role
from picloud.sandbox.cache import ImageCache
from picloud.sandbox.engine import Engine
from picloud.sandbox.limits import Ceilings
from picloud.sandbox.sandbox import Sandbox
from picloud.sandbox.threads import Threads
from picloud.services import builtins
from picloud.services.call_context import Call
from picloud.services.docs import service as docs_service
from picloud.services.files import service as files_service
from picloud.services.files.folder import FolderStore
from picloud.services.kv import service as kv
from picloud.services.quotas import Quotas
from picloud.services.unavailable import completed
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
        recorder: writes the execution log.
        gate: bounds executions.
    """

    services: Services
    database: Database
    changes: Changes
    generations: Generations
    recorder: Recorder
    gate: Gate

    async def person(
        self, username: str, role: Role = "member", app_id: UUID | None = None, app_role: AppRole = "viewer"
    ) -> User:
        """Make a user with `PASSWORD`, a member of an app where one is given."""
        user = await self.services.users.create(username, PASSWORD, role, CONSOLE)
        if app_id is not None:
            await self.services.members.grant(app_id, username, app_role, CONSOLE)
        return user

    async def session_of(self, user: User) -> str:
        """Log a user in; returns the token."""
        opened = await self.services.sessions.open(user.id, user.username, user.role, CONSOLE)
        return opened.token

    async def key_of(
        self,
        user: User,
        scopes: Sequence[str] = SCOPES,
        app_id: UUID | None = None,
        expires_at: datetime | None = None,
    ) -> str:
        """Make a key of a user's as they would in person; returns the key itself."""
        caller = await self.services.credentials.principal(await self.session_of(user))
        assert caller is not None
        new = NewKey(name="test", scopes=scopes, app_id=app_id, expires_at=expires_at)
        _, secret = await self.services.keys.create(new, caller, CONSOLE)
        return secret

    async def app(self, slug: str) -> UUID:
        """Make an app; returns its id."""
        return (await self.services.apps.create(slug, slug, actor=CONSOLE)).id

    async def file(self, app: str, collection: str, name: str = "f.txt", data: bytes = b"bytes") -> str:
        """Store a file as a script of an app would; returns its id."""
        call = Call((await self.services.apps.get(app)).id, uuid4(), uuid4())
        entry = await self.services.files.create(call, collection, name, "text/plain", None, data)
        return str(orjson.loads(entry)["id"])


@pytest.fixture
async def worker(
    database: Database, engine: Engine, passwords: Passwords, tmp_path: Path
) -> AsyncIterator[Worker]:
    """One worker on a database of this test's own; nothing is seeded."""
    generations = Generations()
    changes = Changes(database, generations)
    threads, images = Threads(2), ImageCache(64, 16)
    FolderStore.prepare(tmp_path / "files")
    quotas, searches = Quotas.configured(database, Settings()), docs_service.searches(database)
    files = files_service.Files(database, FolderStore(tmp_path / "files"), quotas)
    here = {
        **kv.host_functions(kv.DatabaseKeyValue(database, quotas, searches)),
        **builtins.host_functions(),
        **modules.host_functions(modules.Modules(database, generations)),
        **docs_service.host_functions(docs_service.DatabaseDocs(database, quotas, searches)),
        **files_service.host_functions(files),
    }
    functions = completed(here, engine.interface)
    sandbox = Sandbox(engine, images, threads, guarded(functions, engine.interface))
    recorder = Recorder(database, generations)
    recorder.start()
    gate = Gate(32, 32)
    services = Services.assemble(
        database,
        changes,
        generations,
        executor=Executor(gate, sandbox, recorder),
        files=files,
        quotas=quotas,
        searches=searches,
        passwords=passwords,
        ceilings=Ceilings(),
        health=Health(database, latest_version(), engine.info.sdk, engine.digest),
        body_seconds=5,
    )
    yield Worker(services, database, changes, generations, recorder, gate)
    await services.background.settled()
    await recorder.close(grace=1)
    await files.close()
    threads.close()
