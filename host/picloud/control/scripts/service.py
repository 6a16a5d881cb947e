"""Scripts and their versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol
from uuid import UUID

from asyncpg import ForeignKeyViolationError, UniqueViolationError
from uuid_utils.compat import uuid7

from picloud.control.scripts import imports as script_imports
from picloud.control.scripts.draft import Draft, Kind, check_source
from picloud.control.scripts.imports import Import
from picloud.control.scripts.model import Script, ScriptSummary
from picloud.control.scripts.versions import Version, keep_version
from picloud.core.errors import Conflict, NotFound
from picloud.core.ids import parse_id
from picloud.core.pagination import Page, PageRequest
from picloud.db.changes import ChangeNotifier
from picloud.db.pool import Connection, Database
from picloud.db.queries import load
from picloud.identity import audit
from picloud.identity.actor import Actor
from picloud.sandbox.limits import Ceilings, Limits
from picloud.services.quotas import Quotas

_SQL = load("scripts")
_ROUTES = load("routes")
_ATTEMPTS = 5


class Validator(Protocol):
    """Compiles a source in the guest to see whether it parses (execution.executor.Executor)."""

    async def validate(self, source: bytes, kind: str, limits: Limits) -> Sequence[str]:
        """Give the names of literal imports, or raise ScriptInvalid with line, column and message."""


class Scripts:
    """The scripts of apps."""

    def __init__(
        self,
        database: Database,
        changes: ChangeNotifier,
        validator: Validator,
        ceilings: Ceilings,
        quotas: Quotas,
    ) -> None:
        self._database = database
        self._changes = changes
        self._validator = validator
        self._ceilings = ceilings
        self._quotas = quotas

    async def create(self, app_id: UUID, draft: Draft, *, message: str = "", actor: Actor) -> Script:
        """Make a script.

        Args:
            draft: its fields.
            message: about this version.

        Returns:
            The script, at version 1.

        Raises:
            Invalid: a field is not valid.
            ScriptInvalid: the source does not parse.
            Conflict: the app has a script of this name.
            QuotaExceeded: the app keeps as many versions, or as much of them, as it may.
            NotFound: the app was deleted in the meantime.
        """
        imports = await self._check(draft)
        async with self._changes.transaction("scripts") as connection:
            await connection.execute(_ROUTES.routes_lock, app_id)
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
            except ForeignKeyViolationError:
                raise NotFound("app", app_id) from None
            assert row is not None
            script = Script(**row)
            await script_imports.keep(connection, app_id, script.id, imports)
            await keep_version(connection, self._quotas, script, actor, message)
            await audit.write(connection, actor, app_id=app_id, target=script.id, after=script.audit_fields)
        return script

    async def get(self, script_id: str) -> Script:
        """Find a script by its id alone; authorise for its app before showing it.

        Args:
            script_id: from the URL.

        Returns:
            The script.

        Raises:
            NotFound: not found.
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
        *,
        message: str = "",
        force: bool = False,
        actor: Actor,
    ) -> Script:
        """Save the next version of a script.

        Args:
            script: as it was just read.
            patch: JSON merge patch of the fields of `Draft`; an empty one saves nothing.
            expected_version: the version the patch was made for, or None to patch whatever is there.
            message: about this version.
            force: rename a module also when scripts import it by the name it has.

        Returns:
            The script as it is now.

        Raises:
            Conflict: it is at another version; or the name is taken; or routes point at what would
                become a module; or scripts import a module that would have another name, without `force`.
            Invalid: a field is not valid.
            ScriptInvalid: the source does not parse.
            QuotaExceeded: the app keeps as many versions, or as much of them, as it may.
            NotFound: it was deleted in the meantime.
        """
        if not patch:
            _check_version(script, expected_version)
            return script
        return await self._revise(
            script, lambda draft: draft.patched(patch), expected_version, message, force, actor
        )

    async def restore(
        self,
        script: Script,
        version: Version,
        expected_version: int | None = None,
        *,
        message: str = "",
        actor: Actor,
    ) -> Script:
        """Save what an earlier version ran as the next version: its source, kind and limits.

        Name, description and access are the script's and not a version's; they stay.

        Args:
            script: as it was just read.
            version: one of its versions.
            expected_version: the version the script is thought to be at, or None for any.
            message: about the new version; "Restored version N" where empty.

        Returns:
            The script as it is now.

        Raises:
            Conflict: it is at another version; or routes point at what would become a module.
            Invalid: a limit is above a ceiling that was lowered since.
            ScriptInvalid: the source does not parse any more.
            QuotaExceeded: the app keeps as many versions, or as much of them, as it may.
            NotFound: it was deleted in the meantime.
        """
        return await self._revise(
            script,
            lambda draft: replace(draft, source=version.source, kind=version.kind, sandbox=version.sandbox),
            expected_version,
            message or f"Restored version {version.version}",
            False,
            actor,
        )

    async def delete(self, script: Script, *, force: bool = False, actor: Actor) -> None:
        """Delete a script and its versions.

        Args:
            force: delete its routes as well, and leave scripts that import it without it.

        Raises:
            Conflict: routes point at it or scripts import it (they are in the details) and `force` is not
                given.
            NotFound: it was deleted in the meantime.
        """
        async with self._changes.transaction("scripts", "routes") as connection:
            # The app before the script, as who makes a route does: its row is written when routes go along.
            await connection.execute(_ROUTES.routes_lock, script.app_id)
            row = await connection.fetchrow(_SQL.script_lock_to_delete, script.app_id, script.id)
            if row is None:
                raise NotFound("script", script.id)
            if not force:
                if row["kind"] == "module":
                    await script_imports.refuse_with_importers(
                        connection, script.app_id, row["name"], script.id
                    )
                await _refuse_with_routes(
                    connection, script, "routes point at this script; ?force=true deletes them"
                )
            await connection.execute(_SQL.script_delete, script.app_id, script.id)
            await audit.write(
                connection, actor, app_id=script.app_id, target=script.id, before=script.audit_fields
            )

    async def validate(self, app_id: UUID, source: str, kind: Kind = "endpoint") -> Sequence[Import]:
        """Check a source without saving it.

        Args:
            app_id: the app it is meant for.
            source: Rhai.
            kind: what it is to be.

        Returns:
            What it imports by literal names; that something is missing is no error.

        Raises:
            Invalid: it is too large, or imports too many modules.
            ScriptInvalid: it does not parse; details have line, column and message.
        """
        check_source(source)
        names = await self._validator.validate(source.encode(), kind, self._ceilings.resolve({}))
        return await script_imports.describe(self._database, app_id, script_imports.kept(names))

    async def _check(self, draft: Draft) -> Sequence[str]:
        """Refuse what cannot be saved. Returns: the names it imports."""
        limits = draft.check(self._ceilings)
        return script_imports.kept(await self._validator.validate(draft.source.encode(), draft.kind, limits))

    async def _revise(
        self,
        script: Script,
        change: Callable[[Draft], Draft],
        expected_version: int | None,
        message: str,
        force: bool,
        actor: Actor,
    ) -> Script:
        """Save a changed draft; where someone else was faster, change what they saved."""
        for _ in range(_ATTEMPTS):
            _check_version(script, expected_version)
            draft = change(script.draft)
            imports = await self._check(draft)
            saved = await self._save(script, draft, imports, message, force, actor)
            if saved is not None:
                return saved
            script = await self.get(str(script.id))
        raise Conflict("others keep changing this script; try again")

    async def _save(
        self, script: Script, draft: Draft, imports: Sequence[str], message: str, force: bool, actor: Actor
    ) -> Script | None:
        """Write the next version, or give None when someone was faster."""
        async with self._changes.transaction("scripts") as connection:
            # The app before the script, as in `delete`: its revision is written.
            await connection.execute(_ROUTES.routes_lock, script.app_id)
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
            if script.kind == "module" and saved.name != script.name and not force:
                await script_imports.refuse_with_importers(connection, script.app_id, script.name, script.id)
            await script_imports.keep(connection, saved.app_id, saved.id, imports)
            await keep_version(connection, self._quotas, saved, actor, message)
            await audit.write(
                connection,
                actor,
                app_id=saved.app_id,
                target=saved.id,
                before=script.audit_fields,
                after=saved.audit_fields,
            )
        return saved


def _check_version(script: Script, expected: int | None) -> None:
    if expected is not None and script.version != expected:
        raise Conflict(
            "the script was changed since; read it again", expected=expected, version=script.version
        )


async def _refuse_with_routes(connection: Connection, script: Script, message: str) -> None:
    routes = await connection.fetch(_ROUTES.routes_of_script, script.app_id, script.id)
    if routes:
        raise Conflict(message, routes=[dict(route) for route in routes])


def _name_taken(name: str) -> Conflict:
    return Conflict(f"the app has a script named {name!r} already", field="name")
