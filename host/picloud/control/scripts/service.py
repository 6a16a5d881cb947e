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
from picloud.control.scripts.versions import Version, store_version
from picloud.core.errors import Conflict, NotFound, Outdated
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
    """Compiles a source in the guest to check its syntax (execution.executor.Executor)."""

    async def validate(self, app_id: UUID, source: bytes, kind: str, limits: Limits) -> Sequence[str]:
        """Return the names of literal imports, or raise ScriptInvalid with line, column and message."""


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
        """Create a script.

        Args:
            draft: its fields.
            message: description of this version.

        Returns:
            The script, at version 1.

        Raises:
            Invalid: a field is not valid.
            ScriptInvalid: the source does not parse.
            Throttled: the app has used up its budget for compiling.
            Conflict: the app already has a script with this name.
            QuotaExceeded: the quota of stored versions is exceeded.
            NotFound: the app was deleted in the meantime.
        """
        imports = await self._check(app_id, draft)
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
                    draft.record_bodies,
                )
            except UniqueViolationError:
                raise _name_taken(draft.name) from None
            except ForeignKeyViolationError:
                raise NotFound("app", app_id) from None
            assert row is not None
            script = Script(**row)
            await script_imports.store(connection, app_id, script.id, imports)
            await store_version(connection, self._quotas, script, actor, message)
            await audit.write(connection, actor, app_id=app_id, target=script.id, after=script.audit_fields)
        return script

    async def get(self, script_id: str) -> Script:
        """Find a script by its id alone; the caller must authorise for its app.

        Raises:
            NotFound: the script does not exist.
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
            script: the script as just read.
            patch: JSON merge patch of the fields of `Draft`; an empty one saves nothing.
            expected_version: the version the patch was made for, or None to patch whatever is there.
            message: description of this version.
            force: rename a module even if scripts import it.

        Returns:
            The updated script.

        Raises:
            Conflict: it has another version; or the name is in use; or it has routes and would become a
                module; or scripts import a module that would be renamed, without `force`.
            Invalid: a field is not valid.
            ScriptInvalid: the source does not parse.
            QuotaExceeded: the quota of stored versions is exceeded.
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
        """Save the source, kind and limits of an earlier version as the next version.

        Name, description and access are not part of a version; they stay.

        Args:
            script: the script as just read.
            version: one of its versions.
            expected_version: the expected current version, or None for any.
            message: description of the new version; "Restored version N" if empty.

        Returns:
            The updated script.

        Raises:
            Conflict: it has another version; or it has routes and would become a module.
            Invalid: a limit exceeds a maximum that was lowered since.
            ScriptInvalid: the source no longer parses.
            QuotaExceeded: the quota of stored versions is exceeded.
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
            force: also delete its routes, and ignore scripts that import it.

        Raises:
            Conflict: it has routes or scripts import it (see the details), and `force` is not given.
            NotFound: it was deleted in the meantime.
        """
        async with self._changes.transaction("scripts", "routes") as connection:
            # Lock the app before the script, as creating a route does: deleting routes writes its row.
            await connection.execute(_ROUTES.routes_lock, script.app_id)
            row = await connection.fetchrow(_SQL.script_lock_to_delete, script.app_id, script.id)
            if row is None:
                raise NotFound("script", script.id)
            if not force:
                if row["kind"] == "module":
                    await script_imports.require_no_importers(
                        connection, script.app_id, row["name"], script.id
                    )
                await _require_no_routes(
                    connection, script, "the script has routes; use ?force=true to delete them too"
                )
            await connection.execute(_SQL.script_delete, script.app_id, script.id)
            await audit.write(
                connection, actor, app_id=script.app_id, target=script.id, before=script.audit_fields
            )

    async def validate(self, app_id: UUID, source: str, kind: Kind = "endpoint") -> Sequence[Import]:
        """Check a source without saving it.

        Args:
            app_id: the app of the script.
            source: Rhai.
            kind: its kind.

        Returns:
            Its literal imports; a missing module is not an error.

        Raises:
            Invalid: the source is too large, or imports too many modules.
            ScriptInvalid: it does not parse; the details have line, column and message.
            Throttled: the app has used up its budget for compiling.
        """
        check_source(source)
        names = await self._validator.validate(app_id, source.encode(), kind, self._ceilings.resolve({}))
        return await script_imports.describe(self._database, app_id, script_imports.storable(names))

    async def _check(self, app_id: UUID, draft: Draft) -> Sequence[str]:
        """Check a draft before it is saved. Returns: the names it imports."""
        limits = draft.check(self._ceilings)
        return script_imports.storable(
            await self._validator.validate(app_id, draft.source.encode(), draft.kind, limits)
        )

    async def _revise(
        self,
        script: Script,
        change: Callable[[Draft], Draft],
        expected_version: int | None,
        message: str,
        force: bool,
        actor: Actor,
    ) -> Script:
        """Save a changed draft; if another save was faster, apply the change to its result."""
        for _ in range(_ATTEMPTS):
            _check_version(script, expected_version)
            draft = change(script.draft)
            imports = await self._check(script.app_id, draft)
            saved = await self._save(script, draft, imports, message, force, actor)
            if saved is not None:
                return saved
            script = await self.get(str(script.id))
        raise Conflict("the script is being changed by others; try again")

    async def _save(
        self, script: Script, draft: Draft, imports: Sequence[str], message: str, force: bool, actor: Actor
    ) -> Script | None:
        """Write the next version; return None if another save was faster."""
        async with self._changes.transaction("scripts") as connection:
            # Lock the app before the script, as in `delete`: its revision is written.
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
                    draft.record_bodies,
                )
            except UniqueViolationError:
                raise _name_taken(draft.name) from None
            if row is None:
                return None
            saved = Script(**row)
            if saved.kind == "module" and script.kind != "module":
                await _require_no_routes(
                    connection, script, "the script has routes; a module cannot handle requests"
                )
            if script.kind == "module" and saved.name != script.name and not force:
                await script_imports.require_no_importers(connection, script.app_id, script.name, script.id)
            await script_imports.store(connection, saved.app_id, saved.id, imports)
            await store_version(connection, self._quotas, saved, actor, message)
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
        raise Outdated(
            "the script was changed in the meantime; read it again", expected=expected, version=script.version
        )


async def _require_no_routes(connection: Connection, script: Script, message: str) -> None:
    routes = await connection.fetch(_ROUTES.routes_of_script, script.app_id, script.id)
    if routes:
        raise Conflict(message, routes=[dict(route) for route in routes])


def _name_taken(name: str) -> Conflict:
    return Conflict(f"the app already has a script named {name!r}", field="name")
