"""Apps: isolation boundaries with their own scripts, routes, domains, data and members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from picloud.control import slugs
from picloud.control.slugs import SlugState
from picloud.core.errors import Conflict, NotFound
from picloud.core.generations import TOPICS
from picloud.core.ids import parse_id
from picloud.core.pagination import Page, PageRequest
from picloud.core.validation import check_description, check_name, require_not_null
from picloud.db.changes import ChangeNotifier
from picloud.db.pool import Connection, Database
from picloud.db.queries import load
from picloud.identity import audit
from picloud.identity.actor import Actor
from picloud.identity.capabilities import may
from picloud.identity.principal import Principal
from picloud.services import SERVICES

_SQL = load("apps")
_STORED = tuple(stored for service in SERVICES for stored in service.stored)
_NOT_EMPTY = ("scripts", "routes", "domains", *(stored.name for stored in _STORED))


@dataclass(frozen=True, slots=True)
class App:
    """An app.

    Attributes:
        id: the app.
        slug: its name in URLs.
        name: display name.
        description: free text.
        created_at: when it was created.
        updated_at: last change.
    """

    id: UUID
    slug: str
    name: str
    description: str
    created_at: datetime
    updated_at: datetime

    @property
    def audit_fields(self) -> dict[str, Any]:
        """The fields of its audit entries."""
        return {"slug": self.slug, "name": self.name, "description": self.description}


class Apps:
    """The apps of the instance."""

    def __init__(self, database: Database, changes: ChangeNotifier) -> None:
        self._database = database
        self._changes = changes

    async def create(
        self, slug: str, name: str, description: str = "", *, takeover: bool = False, actor: Actor
    ) -> App:
        """Create an app.

        Args:
            slug: 1 to 63 lower-case letters, digits and hyphens, not starting with a hyphen, and not a UUID.
            name: display name.
            description: free text.
            takeover: also take a former slug of another app; requires `app.admin` in that app.

        Returns:
            The app.

        Raises:
            Invalid: a field is not valid.
            Conflict: another app uses the slug; or used it before, and `takeover` is not given or permitted.
        """
        _check(slug, name, description)
        app_id = uuid7()
        async with self._database.transaction() as connection:
            await connection.execute(_SQL.slugs_lock)
            over = await slugs.reserve(connection, slug, app_id, takeover, actor)
            row = await connection.fetchrow(_SQL.app_insert, app_id, slug, name, description)
            assert row is not None
            app = App(**row)
            after = app.audit_fields | ({"takeover": True} if over else {})
            await audit.write(connection, actor, app_id=app.id, target=app.id, after=after)
        return app

    async def get(self, id_or_slug: str) -> App:
        """Find an app.

        Args:
            id_or_slug: an id, a slug, or a former slug that no other app has taken.

        Returns:
            The app, with its current slug.

        Raises:
            NotFound: the app does not exist.
        """
        app_id = parse_id(id_or_slug)
        row = None
        if app_id is not None:
            row = await self._database.fetchrow(_SQL.app_by_id, app_id)
        elif slugs.is_slug(id_or_slug):
            row = await self._database.fetchrow(_SQL.app_by_slug, id_or_slug)
        if row is None:
            raise NotFound("app", id_or_slug)
        return App(**row)

    async def list(self, page: PageRequest, principal: Principal) -> Page[App]:
        """List the apps that a principal can read, oldest first."""
        rows = await self._database.fetch(_SQL.apps_list, page.after, page.limit + 1, readable(principal))
        return Page.of(rows, page.limit, lambda row: App(**row))

    async def update(
        self, app: App, patch: Mapping[str, Any], *, takeover: bool = False, actor: Actor
    ) -> App:
        """Update an app. Its former slug keeps working.

        Args:
            patch: JSON merge patch of slug, name and description; an empty one changes nothing.
            takeover: also take a former slug of another app; requires `app.admin` in that app.

        Returns:
            The updated app.

        Raises:
            Invalid: a field is not valid.
            Conflict: another app uses the slug; or used it before, and `takeover` is not given or permitted.
            NotFound: it was deleted in the meantime.
        """
        if not patch:
            return app
        require_not_null(patch, "slug", "name")
        changes: dict[str, Any] = {name: value or "" for name, value in patch.items()}
        async with self._database.transaction() as connection:
            await connection.execute(_SQL.slugs_lock)  # before the app: every writer locks in this order
            row = await connection.fetchrow(_SQL.app_lock, app.id)
            if row is None:
                raise NotFound("app", app.id)
            before = App(**row)
            wanted = replace(before, **changes)
            _check(wanted.slug, wanted.name, wanted.description)
            over = False
            if wanted.slug != before.slug:
                over = await slugs.reserve(connection, wanted.slug, app.id, takeover, actor)
                await connection.execute(_SQL.slug_keep, app.id, before.slug)
            row = await connection.fetchrow(
                _SQL.app_update, app.id, wanted.slug, wanted.name, wanted.description
            )
            assert row is not None
            updated = App(**row)
            after = updated.audit_fields | ({"takeover": True} if over else {})
            await audit.write(
                connection, actor, app_id=app.id, target=app.id, before=before.audit_fields, after=after
            )
        return updated

    async def delete(self, app: App, *, force: bool = False, actor: Actor) -> None:
        """Delete an app with all its data.

        Args:
            force: also delete an app that is not empty.

        Raises:
            Conflict: it is not empty and `force` is not given; the details have the number of objects.
            NotFound: it was deleted in the meantime.
        """
        async with self._changes.transaction(*TOPICS) as connection:
            contents = await _contents(connection, app.id, force)
            # Large tables first, so that other writers wait for the lock only briefly.
            for stored in _STORED:
                await connection.execute(stored.clear, app.id)
            await connection.execute(_SQL.app_clear_executions, app.id)
            if await connection.fetchval(_SQL.app_lock_to_delete, app.id) is None:
                raise NotFound("app", app.id)
            if not force:
                await _contents(connection, app.id, force)  # objects created in the meantime
            await connection.execute(_SQL.app_clear_executions, app.id)
            await connection.execute(_SQL.app_delete, app.id)
            await connection.execute(_SQL.app_clear_usage, app.id)
            before = app.audit_fields | {"contents": contents}
            await audit.write(connection, actor, app_id=app.id, target=app.id, before=before)

    async def slug_state(self, slug: str, principal: Principal) -> SlugState:
        """Return whether a slug is available.

        Raises:
            Invalid: the slug is not valid.
        """
        slugs.check_slug(slug)
        holder = await self._database.fetchrow(_SQL.app_by_slug, slug)
        return slugs.state_of(slug, holder, principal)


def readable(principal: Principal) -> list[UUID] | None:
    """Return the ids of the apps that a principal can read, or None for every app."""
    if may(principal, "app.read"):
        return None
    known = set(principal.memberships)
    if principal.key is not None and principal.key.app_id is not None:
        known.add(principal.key.app_id)
    return [app_id for app_id in known if may(principal, "app.read", app_id)]


def _check(slug: str, name: str, description: str) -> None:
    slugs.check_slug(slug)
    check_name(name)
    check_description(description)


async def _contents(connection: Connection, app_id: UUID, force: bool) -> dict[str, int]:
    """Return the number of objects of each kind; without `force`, require that the app is empty."""
    row = await connection.fetchrow(_SQL.app_contents, app_id)
    assert row is not None
    contents = dict(row)
    for stored in _STORED:
        contents[stored.name] = await connection.fetchval(stored.count, app_id)
    if not force and any(contents[kind] for kind in _NOT_EMPTY):
        counts = ", ".join(f"{kind}: {count}" for kind, count in contents.items() if count)
        raise Conflict(
            f"the app is not empty ({counts}); use ?force=true to delete it with all its data", **contents
        )
    return contents
