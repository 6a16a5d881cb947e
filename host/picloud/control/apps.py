"""Apps: the isolation boundary that owns everything else."""

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
from picloud.core.validation import check_description, check_name, refuse_null
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
_HOLDS_AN_APP = ("scripts", "routes", "domains", *(stored.name for stored in _STORED))


@dataclass(frozen=True, slots=True)
class App:
    """An app.

    Attributes:
        id: the app.
        slug: its name in URLs.
        name: its name for people.
        description: free text.
        created_at: when it was made.
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
        """Make an app.

        Args:
            slug: 1 to 63 lower-case letters, digits and hyphens, not beginning with a hyphen, and no UUID.
            name: for people.
            description: free text.
            takeover: take the slug even where it is another app's former one; needs `app.admin` there too.

        Returns:
            The app.

        Raises:
            Invalid: a field is not valid.
            Conflict: another app has the slug, or had it and it is not taken over, or not to be by the actor.
        """
        _check(slug, name, description)
        app_id = uuid7()
        async with self._database.transaction() as connection:
            await connection.execute(_SQL.slugs_lock)
            over = await slugs.take(connection, slug, app_id, takeover, actor)
            row = await connection.fetchrow(_SQL.app_insert, app_id, slug, name, description)
            assert row is not None
            app = App(**row)
            after = app.audit_fields | ({"takeover": True} if over else {})
            await audit.write(connection, actor, app_id=app.id, target=app.id, after=after)
        return app

    async def get(self, id_or_slug: str) -> App:
        """Find an app.

        Args:
            id_or_slug: from the URL: an id, a slug, or a former slug nobody else took.

        Returns:
            The app, with its slug of today.

        Raises:
            NotFound: not found.
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
        """List the apps someone may read, oldest first.

        Returns:
            The page.
        """
        rows = await self._database.fetch(_SQL.apps_list, page.after, page.limit + 1, readable(principal))
        return Page.of(rows, page.limit, lambda row: App(**row))

    async def update(
        self, app: App, patch: Mapping[str, Any], *, takeover: bool = False, actor: Actor
    ) -> App:
        """Change an app. Its slug of before keeps leading to it.

        Args:
            patch: JSON merge patch of slug, name and description; an empty one changes nothing.
            takeover: take the slug even where it is another app's former one; needs `app.admin` there too.

        Returns:
            The app as it is now.

        Raises:
            Invalid: a field is not valid.
            Conflict: another app has the slug, or had it and it is not taken over, or not to be by the actor.
            NotFound: it was deleted in the meantime.
        """
        if not patch:
            return app
        refuse_null(patch, "slug", "name")
        changes: dict[str, Any] = {name: value or "" for name, value in patch.items()}
        async with self._database.transaction() as connection:
            await connection.execute(_SQL.slugs_lock)  # before the app: whoever wants both takes them so
            row = await connection.fetchrow(_SQL.app_lock, app.id)
            if row is None:
                raise NotFound("app", app.id)
            before = App(**row)
            wanted = replace(before, **changes)
            _check(wanted.slug, wanted.name, wanted.description)
            over = False
            if wanted.slug != before.slug:
                over = await slugs.take(connection, wanted.slug, app.id, takeover, actor)
                await connection.execute(_SQL.slug_keep, app.id, before.slug)
            row = await connection.fetchrow(
                _SQL.app_update, app.id, wanted.slug, wanted.name, wanted.description
            )
            assert row is not None
            now = App(**row)
            after = now.audit_fields | ({"takeover": True} if over else {})
            await audit.write(
                connection, actor, app_id=app.id, target=app.id, before=before.audit_fields, after=after
            )
        return now

    async def delete(self, app: App, *, force: bool = False, actor: Actor) -> None:
        """Delete an app with everything of it.

        Args:
            force: also when it has scripts, routes, domains or entries.

        Raises:
            Conflict: it has some and `force` is not given; how many of everything is in the details.
            NotFound: it was deleted in the meantime.
        """
        async with self._changes.transaction(*TOPICS) as connection:
            contents = await _contents(connection, app.id, force)
            # What may be many rows goes first, so that other writers wait for the lock only a moment.
            for stored in _STORED:
                await connection.execute(stored.clear, app.id)
            await connection.execute(_SQL.app_clear_executions, app.id)
            if await connection.fetchval(_SQL.app_lock_to_delete, app.id) is None:
                raise NotFound("app", app.id)
            if not force:
                await _contents(connection, app.id, force)  # what came in the meantime
            await connection.execute(_SQL.app_clear_executions, app.id)
            await connection.execute(_SQL.app_delete, app.id)
            await connection.execute(_SQL.app_clear_usage, app.id)
            before = app.audit_fields | {"contents": contents}
            await audit.write(connection, actor, app_id=app.id, target=app.id, before=before)

    async def slug_state(self, slug: str, principal: Principal) -> SlugState:
        """Return whether a slug can be had.

        Returns:
            Its state.

        Raises:
            Invalid: it cannot be a slug.
        """
        slugs.check_slug(slug)
        holder = await self._database.fetchrow(_SQL.app_by_slug, slug)
        return slugs.state_of(slug, holder, principal)


def readable(principal: Principal) -> list[UUID] | None:
    """The apps someone may read.

    Returns:
        Ids, or None for every app.
    """
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
    """How many of each kind of thing an app has; what people made refuses an unforced deletion."""
    row = await connection.fetchrow(_SQL.app_contents, app_id)
    assert row is not None
    contents = dict(row)
    for stored in _STORED:
        contents[stored.name] = await connection.fetchval(stored.count, app_id)
    if not force and any(contents[kind] for kind in _HOLDS_AN_APP):
        had = ", ".join(f"{kind}: {count}" for kind, count in contents.items() if count)
        raise Conflict(f"the app is not empty ({had}); ?force=true deletes everything of it", **contents)
    return contents
