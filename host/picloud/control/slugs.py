"""Slugs: the names of apps in URLs. A former slug keeps working until another app takes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from asyncpg import Record

from picloud.core.errors import Conflict, Invalid
from picloud.core.ids import parse_id
from picloud.db.pool import Connection
from picloud.db.queries import load
from picloud.identity.actor import Actor
from picloud.identity.capabilities import may
from picloud.identity.principal import Principal

_SQL = load("apps")
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True)
class AppName:
    """The names of an app.

    Attributes:
        id: the app.
        slug: its name in URLs.
        name: display name.
    """

    id: UUID
    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class SlugState:
    """Whether a slug is available.

    Attributes:
        slug: the slug.
        state: "free"; "taken": an app uses it; "history": it is a former slug of an app and still works, so
            that taking it needs `takeover`.
        app: that app, if the caller can read it.
    """

    slug: str
    state: Literal["free", "taken", "history"]
    app: AppName | None


def is_slug(text: str) -> bool:
    """Return whether a string is a valid slug; an id would make `/apps/{id_or_slug}` ambiguous."""
    return _SLUG.fullmatch(text) is not None and parse_id(text) is None


def check_slug(slug: str) -> None:
    """Check a slug: 1 to 63 lower-case letters, digits and hyphens, not starting with a hyphen, not a UUID.

    Raises:
        Invalid: it is not valid.
    """
    if not is_slug(slug):
        raise Invalid(
            "invalid slug; use 1 to 63 lower-case letters, digits or hyphens, not starting with a hyphen, "
            "and not a UUID",
            field="slug",
        )


def state_of(slug: str, holder: Record | None, principal: Principal | None) -> SlugState:
    """Return whether a slug is available.

    Args:
        holder: the app that uses or used it, or None.
        principal: the caller; None is the console, which can read every app.
    """
    if holder is None:
        return SlugState(slug, "free", None)
    known = principal is None or may(principal, "app.read", holder["id"])
    app = AppName(holder["id"], holder["slug"], holder["name"]) if known else None
    return SlugState(slug, "taken" if holder["slug"] == slug else "history", app)


async def reserve(connection: Connection, slug: str, app_id: UUID, takeover: bool, actor: Actor) -> bool:
    """Reserve a slug for an app; the caller then writes it.

    Args:
        connection: of a transaction that holds `slugs_lock`.
        app_id: the app; it can always reuse its own former slugs.
        takeover: also take a former slug of another app. Its URLs then stop working, so this requires
            `app.admin` in that app.
        actor: who reserves it.

    Returns:
        Whether it was taken from another app.

    Raises:
        Conflict: another app uses it; or used it before, and `takeover` is not given or the actor lacks
            permission. The details have the state, and the app if the actor can read it.
    """
    holder = await connection.fetchrow(_SQL.app_by_slug, slug)
    if holder is not None and holder["slug"] == slug:
        raise _unavailable(f"the slug {slug!r} is used by another app", slug, holder, actor)
    others = holder is not None and holder["id"] != app_id
    if holder is not None and others:
        former = f"the slug {slug!r} is a former slug of another app"
        if not takeover:
            raise _unavailable(f"{former}; use takeover: true to take it", slug, holder, actor)
        if actor.principal is not None and not may(actor.principal, "app.admin", holder["id"]):
            raise _unavailable(
                f"{former}; taking it requires the capability app.admin in that app", slug, holder, actor
            )
    await connection.execute(_SQL.slug_forget, slug)
    return others


def _unavailable(message: str, slug: str, holder: Record, actor: Actor) -> Conflict:
    state = state_of(slug, holder, actor.principal)
    return Conflict(message, field="slug", state=state.state, app=state.app)
