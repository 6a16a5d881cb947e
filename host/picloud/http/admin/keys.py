"""API keys."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BeforeValidator, Field

from picloud.core.errors import Conflict, Forbidden, NotFound
from picloud.core.ids import parse_id
from picloud.core.pagination import Page
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint, ListQuery
from picloud.http.admin.fields import Body
from picloud.identity.capabilities import Scope
from picloud.identity.keys import Key, NewKey


def _moment(value: object) -> object:
    """A moment as JSON has it: text, in a time zone, of a year that PostgreSQL and Python both know."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo is not None else moment
    except (ValueError, OverflowError):
        raise ValueError("must be a date and time with a zone, like 2030-12-31T23:59:59Z") from None


Moment = Annotated[AwareDatetime, BeforeValidator(_moment, json_schema_input_type=AwareDatetime)]


class KeyDraft(Body):
    """What a key is made from.

    Attributes:
        name: for people.
        scopes: what it shall cover.
        app_id: the only app it is for; None for all.
        expires_at: when it ends; None for never.
    """

    name: str
    scopes: list[Scope] = Field(examples=[["script:read", "log:read"]])
    app_id: Annotated[UUID, Field(strict=False)] | None = None
    expires_at: Moment | None = None


class KeyQuery(ListQuery):
    """Whose keys; one's own without.

    Attributes:
        user_id: whose.
    """

    user_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class KeyMade(Key):
    """A key, and this once the key itself.

    Attributes:
        key: the key itself; it is shown this once.
    """

    key: str


async def create(platform: Platform, call: AdminCall[KeyDraft, Any]) -> KeyMade:
    """Make a key."""
    body = call.body
    new = NewKey(name=body.name, scopes=body.scopes, app_id=body.app_id, expires_at=body.expires_at)
    key, secret = await platform.keys.create(new, call.principal, call.actor)
    return KeyMade(**{field.name: getattr(key, field.name) for field in fields(key)}, key=secret)


async def list_(platform: Platform, call: AdminCall[Any, KeyQuery]) -> Page[Key]:
    """List keys: one's own, or as someone who manages users those of another."""
    user_id = call.query.user_id or call.principal.user_id
    return await platform.keys.list(user_id, call.query.page, call.principal)


async def delete(platform: Platform, call: AdminCall[Any, Any]) -> None:
    """Revoke a key."""
    key_id = parse_id(call.path["key"])
    if key_id is None:
        raise NotFound("key", call.path["key"])
    await platform.keys.delete(key_id, call.principal, call.actor)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/api-keys",
        handle=create,
        access="user",
        action="key.create",
        status=201,
        body=KeyDraft,
        errors=(Forbidden, NotFound, Conflict),
        summary="Make an API key of one's own; the key is shown this once",
    ),
    Endpoint(
        method="GET",
        path="/api-keys",
        handle=list_,
        access="user",
        query=KeyQuery,
        errors=(Forbidden,),
        summary="List one's own API keys, or another user's",
    ),
    Endpoint(
        method="DELETE",
        path="/api-keys/{key}",
        handle=delete,
        access="user",
        action="key.revoke",
        status=204,
        errors=(Forbidden,),
        summary="Revoke an API key",
    ),
)
