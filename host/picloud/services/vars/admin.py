"""The variables of an app for the admin API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from picloud.core.errors import NotFound, QuotaExceeded
from picloud.core.pagination import Page, page_of_names, read_name_cursor
from picloud.core.validation import check_variable
from picloud.db.changes import ChangeNotifier
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.identity import audit
from picloud.identity.actor import Actor
from picloud.services.vars.service import MAX_VARS, MAX_VARS_BYTES, TOPIC

_SQL = load("vars")


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of an app.

    Attributes:
        name: A to Z, 0 to 9 and _, starting with a letter.
        value: a string of up to 8 KiB.
        created_at: when it was created.
        updated_at: when its value last changed.
    """

    name: str
    value: str
    created_at: datetime
    updated_at: datetime


class VarsAdmin:
    """Lists and writes the variables of apps."""

    def __init__(self, database: Database, changes: ChangeNotifier) -> None:
        """Create it. Args: changes: notifies workers of writes."""
        self._database, self._changes = database, changes

    async def list(self, app_id: UUID, limit: int, cursor: str | None) -> Page[Variable]:
        """List the variables of an app by name.

        Args:
            limit: maximum number.
            cursor: cursor of the previous page; None for the first page.

        Raises:
            Invalid: invalid cursor.
        """
        after = read_name_cursor(cursor)
        rows = await self._database.fetch(_SQL.vars_list, app_id, after, limit + 1)
        return page_of_names(rows, limit, lambda row: Variable(**row))

    async def get(self, app_id: UUID, name: str) -> Variable:
        """Read a variable.

        Raises:
            NotFound: it is not set.
        """
        row = await self._database.fetchrow(_SQL.var_get, app_id, name)
        if row is None:
            raise NotFound("variable", name)
        return Variable(**row)

    async def put(self, app_id: UUID, name: str, value: str, *, actor: Actor) -> Variable:
        """Set a variable.

        Args:
            name: name of the variable; it need not exist.
            value: see `check_variable`.

        Returns:
            The variable.

        Raises:
            Invalid: the name or the value is not valid.
            QuotaExceeded: the app has `MAX_VARS` others, or all values would have more than `MAX_VARS_BYTES`.
            NotFound: the app was deleted in the meantime.
        """
        check_variable(name, value)
        async with self._changes.transaction(TOPIC) as connection:
            if await connection.fetchval(_SQL.vars_lock, app_id) is None:
                raise NotFound("app", app_id)
            before = await connection.fetchrow(_SQL.var_get, app_id, name)
            if before is None and await connection.fetchval(_SQL.vars_count_of_app, app_id) >= MAX_VARS:
                raise QuotaExceeded(f"an app can have at most {MAX_VARS} variables; delete some first")
            grows = len(value.encode()) - (0 if before is None else len(before["value"].encode()))
            if grows > 0 and await connection.fetchval(_SQL.vars_bytes, app_id) + grows > MAX_VARS_BYTES:
                raise QuotaExceeded(
                    f"an app can have at most {MAX_VARS_BYTES} bytes of variables; delete some first"
                )
            changed = before is None or before["value"] != value
            row = await connection.fetchrow(_SQL.var_set, app_id, name, value) if changed else before
            assert row is not None
            await audit.write(
                connection,
                actor,
                app_id=app_id,
                target=name,
                before=None if before is None else _audit_fields(name, before["value"]),
                after={**_audit_fields(name, value), "changed": changed},
            )
        return Variable(**row)

    async def delete(self, app_id: UUID, name: str, *, actor: Actor) -> None:
        """Delete a variable.

        Args:
            name: name of the variable.

        Raises:
            NotFound: it is not set.
        """
        async with self._changes.transaction(TOPIC) as connection:
            await connection.execute(_SQL.vars_lock, app_id)
            value = await connection.fetchval(_SQL.var_delete, app_id, name)
            if value is None:
                raise NotFound("variable", name)
            await audit.write(
                connection, actor, app_id=app_id, target=name, before=_audit_fields(name, value)
            )


def _audit_fields(name: str, value: str) -> dict[str, Any]:
    """The fields of audit entries, without the value, which can be a secret."""
    return {"name": name, "size": len(value.encode())}
