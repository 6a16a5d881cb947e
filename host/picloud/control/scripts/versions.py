"""Versions of a script: every save is stored and can be read, compared and restored."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record

from picloud.control.scripts.draft import Kind
from picloud.control.scripts.line_diff import unified
from picloud.control.scripts.model import Script
from picloud.core.errors import NotFound
from picloud.core.numbers import NotAnInteger, read_integer
from picloud.core.pagination import Page, PageRequest
from picloud.db.pool import Connection, Database
from picloud.db.queries import load
from picloud.identity.actor import Actor
from picloud.sandbox.limits import MIB
from picloud.services.collections import as_api_error
from picloud.services.quotas import Amount, Quotas, StoreQuota

QUOTA = StoreQuota(
    "scripts", lambda settings: Amount(settings.quota_scripts_rows, settings.quota_scripts_mb * MIB)
)
"""The quota of stored versions."""

_SQL = load("scripts")
LAST_VERSION = 2**31 - 1
"""The largest version number in the database."""


@dataclass(frozen=True, slots=True)
class Author:
    """The author of a version.

    Attributes:
        id: the user.
        username: the current name, or None when the user was deleted.
    """

    id: UUID
    username: str | None


@dataclass(frozen=True, slots=True)
class VersionSummary:
    """A version without its source.

    Attributes:
        version: number from 1.
        kind: kind of the script in this version.
        sandbox: limit overrides by name in this version.
        author: the user who saved it, or None for the console.
        message: description by the author.
        created_at: when it was saved.
        sha256: hash of the UTF-8 source, in hexadecimal.
        size: size of the source in bytes.
    """

    version: int
    kind: Kind
    sandbox: dict[str, int]
    author: Author | None
    message: str
    created_at: datetime
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Version(VersionSummary):
    """A version.

    Attributes:
        source: Rhai.
    """

    source: str


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference between two versions of a script.

    Attributes:
        old: number of the first version.
        new: number of the second version.
        text: unified diff of the sources; empty if they are equal.
        changes: old and new values of other fields that differ: "kind", "sandbox.<limit>".
    """

    old: int
    new: int
    text: str
    changes: dict[str, tuple[str | int | None, str | int | None]]


class ScriptVersions:
    """The versions of scripts."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._comparing = (
            asyncio.Lock()
        )  # one diff at a time: its thread shares the interpreter with the event loop

    async def list(self, app_id: UUID, script_id: UUID, page: PageRequest) -> Page[VersionSummary]:
        """List a script's versions without their sources, newest first.

        Args:
            page: its position is a version number.
        """
        before = min(page.after.int, LAST_VERSION) if page.after is not None else None
        rows = await self._database.fetch(
            _SQL.script_versions_list, app_id, script_id, before, page.limit + 1
        )
        return Page.of(
            rows,
            page.limit,
            lambda row: VersionSummary(**_fields(row)),
            position=lambda row: UUID(int=row["version"]),
        )

    async def get(self, app_id: UUID, script_id: UUID, version: str | int) -> Version:
        """Find a version.

        Args:
            version: its number, as an integer or a string.

        Raises:
            NotFound: the version does not exist.
        """
        try:
            number = read_integer(str(version), 1, LAST_VERSION, exact=True)
        except NotAnInteger:
            raise NotFound("version", version) from None
        row = await self._database.fetchrow(_SQL.script_version_find, app_id, script_id, number)
        if row is None:
            raise NotFound("version", version)
        return Version(**_fields(row))

    async def compare(self, app_id: UUID, script_id: UUID, old: int, new: int) -> Difference:
        """Compare two versions.

        Args:
            old: number of the first version.
            new: number of the second version.

        Returns:
            The difference.

        Raises:
            NotFound: the version does not exist.
        """
        before = await self.get(app_id, script_id, old)
        after = await self.get(app_id, script_id, new)
        async with self._comparing:
            text = await asyncio.to_thread(
                unified, before.source, after.source, f"version {old}", f"version {new}"
            )
        return Difference(old, new, text, _changes(before, after))


async def store_version(
    connection: Connection, quotas: Quotas, script: Script, actor: Actor, message: str
) -> None:
    """Store a saved script as a version.

    Args:
        connection: of the transaction that saves it.
        quotas: quotas of the app.
        script: the saved script.
        message: description of this version.

    Raises:
        QuotaExceeded: the quota of stored versions is exceeded.
    """
    await connection.execute(
        _SQL.script_version_insert,
        script.app_id,
        script.id,
        script.version,
        script.kind,
        script.source,
        script.sandbox,
        actor.user_id,
        message,
    )
    with as_api_error("source"):
        added = Amount(1, len(script.source.encode()))
        await quotas.check_after(connection, script.app_id, "scripts", added)


def _fields(row: Record) -> dict[str, Any]:
    fields = dict(row)
    author_id, username = fields.pop("author_id"), fields.pop("username")
    return fields | {"author": Author(author_id, username) if author_id is not None else None}


def _changes(before: Version, after: Version) -> dict[str, tuple[str | int | None, str | int | None]]:
    changes: dict[str, tuple[str | int | None, str | int | None]] = {}
    if before.kind != after.kind:
        changes["kind"] = (before.kind, after.kind)
    for name in sorted({*before.sandbox, *after.sandbox}):
        values = before.sandbox.get(name), after.sandbox.get(name)
        if values[0] != values[1]:
            changes[f"sandbox.{name}"] = values
    return changes
