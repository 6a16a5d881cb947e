"""Loads scripts with the modules they import by literal names, and finds importers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID
from weakref import WeakValueDictionary

from asyncpg import Record

from picloud.control.record_bodies import RecordBodies
from picloud.control.scripts.imports import MAX_MODULES, Import, describe
from picloud.control.scripts.model import Script, ScriptSummary
from picloud.core.errors import NotFound
from picloud.core.pagination import Page, PageRequest
from picloud.db.pool import Database
from picloud.db.queries import load

MAX_BYTES = 4 * 1024 * 1024
"""Total source size of the modules of one script, in bytes."""

_SQL = load("modules")


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Module:
    """A version of a module.

    Attributes:
        id: the script.
        version: increases by one with every save.
        name: the name in imports.
        source: Rhai, UTF-8.
    """

    id: UUID
    version: int
    name: str
    source: bytes


@dataclass(frozen=True, slots=True)
class Loaded:
    """A script and its modules, read in one statement.

    Attributes:
        id: the script.
        app_id: its app.
        name: unique in the app.
        kind: "endpoint" or "module".
        version: increases by one with every save.
        sandbox: limit overrides by name.
        execute_access: "open", "members" or "routed".
        record_bodies: which bodies of its executions are recorded, by the script or its app.
        public_errors: whether anonymous callers get its error messages, by the app.
        source: Rhai, UTF-8.
        revision: script revision of the app.
        modules: literal imports, direct and indirect, ordered by id. A missing module is left out; the
            script fails when it imports it.
        problem: why it cannot be executed, for its author, or None.
    """

    id: UUID
    app_id: UUID
    name: str
    kind: str
    version: int
    sandbox: Mapping[str, int]
    execute_access: str
    record_bodies: RecordBodies
    public_errors: bool
    source: bytes
    revision: int
    modules: tuple[Module, ...] = ()
    problem: str | None = None

    @property
    def sources(self) -> dict[tuple[UUID, int], bytes]:
        """The sources by script and version."""
        return {
            (self.id, self.version): self.source,
            **{(module.id, module.version): module.source for module in self.modules},
        }


class Modules:
    """The modules of apps."""

    def __init__(self, database: Database) -> None:
        """Args: database: the pool."""
        self._database = database
        # Scripts often import the same modules: each source is in memory once.
        self._shared: WeakValueDictionary[UUID, Module] = WeakValueDictionary()

    async def app_of(self, script_id: UUID) -> UUID:
        """Find the app of a script. Raises: NotFound: the script does not exist."""
        app_id: UUID | None = await self._database.fetchval(_SQL.script_app, script_id)
        if app_id is None:
            raise NotFound("script", script_id)
        return app_id

    async def load(self, app_id: UUID, script_id: UUID, before: Loaded | None = None) -> Loaded:
        """Read a script with its modules, in one statement.

        Args:
            before: the last read; unchanged sources are not read again.

        Returns:
            The current script.

        Raises:
            NotFound: the app has no such script.
        """
        held = before.sources if before is not None else {}
        rows = await self._database.fetch(
            _SQL.script_to_run,
            app_id,
            script_id,
            [script for script, _ in held],
            [version for _, version in held],
            MAX_MODULES + 2,
            MAX_BYTES,
        )
        script = next((row for row in rows if row["is_script"]), None)
        if script is None:
            raise NotFound("script", script_id)
        needed = sorted((row for row in rows if not row["is_script"]), key=lambda row: row["id"].int)
        problem = _problem(len(needed), script["total"])
        return Loaded(
            script_id,
            app_id,
            script["name"],
            script["kind"],
            script["version"],
            script["sandbox"],
            script["execute_access"],
            script["record_bodies"],
            script["public_errors"],
            _source(script, held),
            script["revision"],
            tuple(self._module(row, held) for row in needed) if problem is None else (),
            problem,
        )

    def _module(self, row: Record, held: Mapping[tuple[UUID, int], bytes]) -> Module:
        module = self._shared.get(row["id"])
        if module is None or module.version != row["version"]:
            module = Module(row["id"], row["version"], row["name"], _source(row, held))
            self._shared[module.id] = module
        return module

    async def imports(self, script: Script) -> list[Import]:
        """List the literal imports of a script."""
        rows = await self._database.fetch(_SQL.script_imports_list, script.app_id, script.id)
        return await describe(self._database, script.app_id, [row["name"] for row in rows])

    async def imported_by(self, script: Script, page: PageRequest) -> Page[ScriptSummary]:
        """List the scripts that import a script, without their sources, oldest first."""
        rows = await self._database.fetch(
            _SQL.importers_list, script.app_id, page.after, page.limit + 1, script.id, script.name
        )
        return Page.of(rows, page.limit, lambda row: ScriptSummary(**row))


def _source(row: Record, held: Mapping[tuple[UUID, int], bytes]) -> bytes:
    source: str | None = row["source"]
    return source.encode() if source is not None else held[row["id"], row["version"]]


def _problem(count: int, size: int) -> str | None:
    if count > MAX_MODULES:
        return f"the script needs more than {MAX_MODULES} modules, including modules that modules import"
    if size > MAX_BYTES:
        return f"the modules of the script have {size} bytes in total, more than the maximum of {MAX_BYTES}"
    return None
