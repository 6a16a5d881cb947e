"""Slugs: the names of apps in URLs. A former slug leads to its app until another one takes it over."""

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
    """An app by its names alone.

    Attributes:
        id: the app.
        slug: its name in URLs.
        name: its name for people.
    """

    id: UUID
    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class SlugState:
    """Whether a slug can be had.

    Attributes:
        state: "free"; "taken": an app has it; "history": an app had it before and answers to it still,
            so that taking it needs `takeover`.
        app: that app, if the caller may read it.
    """

    slug: str
    state: Literal["free", "taken", "history"]
    app: AppName | None


def is_slug(text: str) -> bool:
    """Whether a text can be a slug; one that reads as an id would make `/apps/{id_or_slug}` ambiguous."""
    return _SLUG.fullmatch(text) is not None and parse_id(text) is None


def check_slug(slug: str) -> None:
    """Refuse what cannot be a slug.

    Args:
        slug: any text.

    Raises:
        Invalid: it has not 1 to 63 lower-case letters, digits and hyphens, begins with a hyphen, or is a
            UUID.
    """
    if not is_slug(slug):
        raise Invalid(
            "a slug has 1 to 63 lower-case letters, digits or hyphens, no hyphen first, and is no id",
            field="slug",
        )


def state_of(slug: str, holder: Record | None, principal: Principal | None) -> SlugState:
    """Return whether a slug can be had.

    Args:
        holder: the app that has or had it, or None.
        principal: who asks; None is the console, which may know everything.

    Returns:
        The state.
    """
    if holder is None:
        return SlugState(slug, "free", None)
    known = principal is None or may(principal, "app.read", holder["id"])
    app = AppName(holder["id"], holder["slug"], holder["name"]) if known else None
    return SlugState(slug, "taken" if holder["slug"] == slug else "history", app)


async def take(connection: Connection, slug: str, app_id: UUID, takeover: bool, actor: Actor) -> bool:
    """Make a slug free for an app; the caller then writes it.

    Args:
        connection: of a transaction that holds `slugs_lock`.
        app_id: the app; its own former slugs are its for the taking.
        takeover: take it out of another app's history as well, which whoever still uses it there feels:
            so it needs `app.admin` in that app too.
        actor: who wants it.

    Returns:
        Whether it was taken over from another app.

    Raises:
        Conflict: another app has it, or had it and `takeover` is not given or not the actor's to give; the
            state is in the details, and which app, if the actor may read that.
    """
    holder = await connection.fetchrow(_SQL.app_by_slug, slug)
    if holder is not None and holder["slug"] == slug:
        raise _refused(f"the slug {slug!r} is another app's", slug, holder, actor)
    others = holder is not None and holder["id"] != app_id
    if holder is not None and others:
        was = f"the slug {slug!r} was another app's and still leads there"
        if not takeover:
            raise _refused(f"{was}; takeover: true takes it over", slug, holder, actor)
        if actor.principal is not None and not may(actor.principal, "app.admin", holder["id"]):
            raise _refused(f"{was}; taking it over takes app.admin there", slug, holder, actor)
    await connection.execute(_SQL.slug_forget, slug)
    return others


def _refused(why: str, slug: str, holder: Record, actor: Actor) -> Conflict:
    state = state_of(slug, holder, actor.principal)
    return Conflict(why, field="slug", state=state.state, app=state.app)
