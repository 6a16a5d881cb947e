"""Settings of apps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from asyncpg import Record

from picloud.control.record_bodies import DEFAULT, RecordBodies
from picloud.core.errors import NotFound
from picloud.db.changes import ChangeNotifier
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.identity import audit
from picloud.identity.actor import Actor
from picloud.routing.cors import Cors

_SQL = load("apps")


@dataclass(frozen=True, slots=True)
class AppSettings:
    """The settings of an app.

    Attributes:
        cors: the CORS settings, or None to send no CORS headers.
        record_bodies: which bodies of requests and responses the execution log keeps: "none", "errors" (of
            executions that failed or returned a 5xx status) or "all". A script can have its own rule.
        public_errors: whether anonymous callers get the messages of errors that scripts do not catch; by
            default they get the code and the request id.
    """

    cors: Cors | None
    record_bodies: RecordBodies = DEFAULT
    public_errors: bool = False

    @property
    def audit_fields(self) -> dict[str, Any]:
        """The fields of its audit entries."""
        cors = self.cors.as_json() if self.cors is not None else None
        return {"cors": cors, "record_bodies": self.record_bodies, "public_errors": self.public_errors}


DEFAULTS: Mapping[str, Any] = {"cors": None, "record_bodies": DEFAULT, "public_errors": False}
"""The settings of a new app."""


class AppSettingsStore:
    """The settings of apps."""

    def __init__(self, database: Database, changes: ChangeNotifier) -> None:
        self._database = database
        self._changes = changes

    async def get(self, app_id: UUID) -> AppSettings:
        """Read the settings of an app.

        Raises:
            NotFound: it was deleted in the meantime.
        """
        return _settings(app_id, await self._database.fetchrow(_SQL.app_settings, app_id))

    async def update(self, app_id: UUID, patch: Mapping[str, Any], actor: Actor) -> AppSettings:
        """Update the settings of an app.

        Args:
            patch: JSON merge patch: `cors` is null or fields of `Cors`, where null means the default; null
                for another field means its default.

        Returns:
            The updated settings.

        Raises:
            Invalid: a field is not valid.
            NotFound: the app was deleted in the meantime.
        """
        if not patch:
            return await self.get(app_id)
        async with self._changes.transaction("routes", "scripts") as connection:
            before = _settings(app_id, await connection.fetchrow(_SQL.app_settings_lock, app_id))
            after = _patched(before, patch)
            await connection.execute(_SQL.app_settings_update, app_id, *after.audit_fields.values())
            await audit.write(
                connection,
                actor,
                app_id=app_id,
                target=app_id,
                before=before.audit_fields,
                after=after.audit_fields,
            )
        return after


def _settings(app_id: UUID, row: Record | None) -> AppSettings:
    if row is None:
        raise NotFound("app", app_id)
    return AppSettings(Cors.stored(row["cors"]), row["record_bodies"], row["public_errors"])


def _patched(settings: AppSettings, patch: Mapping[str, Any]) -> AppSettings:
    changes = {name: DEFAULTS[name] if value is None else value for name, value in patch.items()}
    if "cors" in patch:
        changes["cors"] = _patched_cors(settings.cors, patch["cors"])
    return replace(settings, **changes)


def _patched_cors(cors: Cors | None, patch: Mapping[str, Any] | None) -> Cors | None:
    if patch is None:
        return None
    merged = (cors.as_json() if cors is not None else {}) | dict(patch)
    return Cors.parse({name: value for name, value in merged.items() if value is not None})
