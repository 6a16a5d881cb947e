"""Scripts and their versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from asyncpg import UniqueViolationError
from uuid_utils.compat import uuid7

from picloud.db.changes import Changes
from picloud.db.pool import Connection, Database
from picloud.db.queries import load
from picloud.errors import Conflict, Invalid, NotFound
from picloud.sandbox.limits import Ceilings, Limits
from picloud.services.apps import parse_id
from picloud.services.page import Page, PageRequest
from picloud.services.script_draft import KINDS, Draft, check_source

_SQL = load("scripts")
_ROUTES = load("routes")
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class ScriptSummary:
    """A script without its source, as lists show it.

    Attributes:
        id: the script.
        app_id: its app.
        name: unique in the app.
        kind: "endpoint" or "module".
        description: free text.
        version: grows by one with every save.
        sandbox: limit overrides by name.
        execute_access: "open" or "members".
        created_at: first save.
        updated_at: last save.
    """

    id: UUID
    app_id: UUID
    name: str
    kind: str
    description: str
    version: int
    sandbox: dict[str, int]
    execute_access: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Script(ScriptSummary):
    """A script.

    Attributes:
        source: Rhai.
    """

    source: str

    @property
    def draft(self) -> Draft:
        """The fields people write."""
        return Draft(self.name, self.source, self.kind, self.description, self.sandbox, self.execute_access)


class Validator(Protocol):
    """Compiles a source in the guest to see whether it parses (execution.executor.Executor)."""

    async def validate(self, source: bytes, kind: str, limits: Limits) -> list[str]:
        """Give the names of literal imports, or raise ScriptInvalid with line, column and message."""


class Scripts:
    """The scripts of apps."""

    def __init__(
        self, database: Database, changes: Changes, validator: Validator, ceilings: Ceilings
    ) -> None:
        """Make it."""
        self._database = database
        self._changes = changes
        self._validator = validator
        self._ceilings = ceilings

    async def create(
        self, app_id: UUID, draft: Draft, author_id: UUID | None = None, message: str = ""
    ) -> Script:
        """Make a script.

        Args:
            app_id: the app.
            draft: its fields.
            author_id: who saves.
            message: about this version.

        Returns:
            The script, at version 1.

        Raises:
            Invalid: a field is not acceptable.
            ScriptInvalid: the source does not parse.
            Conflict: the app has a script of this name.
        """
        await self._check(draft)
        async with self._changes.announce("scripts") as connection:
            try:
                row = await connection.fetchrow(
                    _SQL.script_insert,
                    app_id,
                    uuid7(),
                    draft.name,
                    draft.kind,
                    draft.description,
                    draft.source,
                    draft.sandbox,
                    draft.execute_access,
                )
            except UniqueViolationError:
                raise _name_taken(draft.name) from None
            assert row is not None
            script = Script(**row)
            await _keep_version(connection, script, author_id, message)
        return script

    async def get(self, script_id: str) -> Script:
        """Find a script by its id alone; authorise for its app before showing it.

        Args:
            script_id: as it stands in a URL.

        Returns:
            The script.

        Raises:
            NotFound: there is none.
        """
        parsed = parse_id(script_id)
        row = await self._database.fetchrow(_SQL.script_find, parsed) if parsed is not None else None
        if row is None:
            raise NotFound("script", script_id)
        return Script(**row)

    async def list(self, app_id: UUID, page: PageRequest) -> Page[ScriptSummary]:
        """List an app's scripts without their sources, oldest first."""
        rows = await self._database.fetch(_SQL.scripts_list, app_id, page.after, page.limit + 1)
        return Page.of(rows, page.limit, lambda row: ScriptSummary(**row))

    async def update(
        self,
        script: Script,
        patch: Mapping[str, Any],
        expected_version: int | None = None,
        author_id: UUID | None = None,
        message: str = "",
    ) -> Script:
        """Save the next version of a script.

        Args:
            script: as it was just read.
            patch: JSON merge patch of the fields of `Draft`; an empty one saves nothing.
            expected_version: the version the patch was made for, or None to patch whatever is there.
            author_id: who saves.
            message: about this version.

        Returns:
            The script as it is now.

        Raises:
            Conflict: it is at another version; or the name is taken; or routes point at what would
                become a module.
            Invalid: a field is not acceptable.
            ScriptInvalid: the source does not parse.
            NotFound: it was deleted meanwhile.
        """
        for _ in range(_ATTEMPTS):
            if expected_version is not None and script.version != expected_version:
                raise Conflict(
                    "the script was changed since; read it again",
                    expected=expected_version,
                    version=script.version,
                )
            if not patch:
                return script
            draft = script.draft.patched(patch)
            await self._check(draft)
            saved = await self._save(script, draft, author_id, message)
            if saved is not None:
                return saved
            script = await self.get(str(script.id))
        raise Conflict("others keep changing this script; try again")

    async def delete(self, script: Script, force: bool = False) -> None:
        """Delete a script and its versions.

        Args:
            script: the script.
            force: delete its routes as well.

        Raises:
            Conflict: routes point at it (they are in the details) and `force` is not given.
        """
        async with self._changes.announce("scripts", "routes") as connection:
            await connection.execute(_SQL.script_lock_to_delete, script.app_id, script.id)
            if not force:
                await _refuse_with_routes(
                    connection, script, "routes point at this script; ?force=true deletes them"
                )
            await connection.execute(_SQL.script_delete, script.app_id, script.id)

    async def validate(self, source: str, kind: str = "endpoint") -> None:
        """Check a source without saving it.

        Args:
            source: Rhai.
            kind: "endpoint" or "module".

        Raises:
            Invalid: it is too large, or there is no such kind.
            ScriptInvalid: it does not parse; details have line, column and message.
        """
        if kind not in KINDS:
            raise Invalid(f"there is no kind {kind!r}", field="kind", known=list(KINDS))
        check_source(source)
        await self._validator.validate(source.encode(), kind, self._ceilings.resolve({}))

    async def _check(self, draft: Draft) -> None:
        limits = draft.check(self._ceilings)
        await self._validator.validate(draft.source.encode(), draft.kind, limits)

    async def _save(
        self, script: Script, draft: Draft, author_id: UUID | None, message: str
    ) -> Script | None:
        """Write the next version, or give None when someone was faster."""
        async with self._changes.announce("scripts") as connection:
            try:
                row = await connection.fetchrow(
                    _SQL.script_update,
                    script.app_id,
                    script.id,
                    script.version,
                    draft.name,
                    draft.kind,
                    draft.description,
                    draft.source,
                    draft.sandbox,
                    draft.execute_access,
                )
            except UniqueViolationError:
                raise _name_taken(draft.name) from None
            if row is None:
                return None
            saved = Script(**row)
            if saved.kind == "module" and script.kind != "module":
                await _refuse_with_routes(
                    connection, script, "routes point at this script; a module cannot answer them"
                )
            await _keep_version(connection, saved, author_id, message)
        return saved


async def _keep_version(connection: Connection, script: Script, author_id: UUID | None, message: str) -> None:
    await connection.execute(
        _SQL.script_version_insert,
        script.app_id,
        script.id,
        script.version,
        script.source,
        script.sandbox,
        author_id,
        message,
    )


async def _refuse_with_routes(connection: Connection, script: Script, message: str) -> None:
    routes = await connection.fetch(_ROUTES.routes_of_script, script.app_id, script.id)
    if routes:
        raise Conflict(message, routes=[dict(route) for route in routes])


def _name_taken(name: str) -> Conflict:
    return Conflict(f"the app has a script named {name!r} already", field="name")
