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
    """Parse a date and time with a time zone, within the years that PostgreSQL and Python support."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo is not None else moment
    except (ValueError, OverflowError):
        raise ValueError("must be a date and time with a time zone, like 2030-12-31T23:59:59Z") from None


Moment = Annotated[AwareDatetime, BeforeValidator(_moment, json_schema_input_type=AwareDatetime)]


class KeyDraft(Body):
    """A new API key.

    Attributes:
        name: display name.
        scopes: its scopes.
        app_id: the only app it works for; None for all apps.
        expires_at: when it expires; None for never.
    """

    name: str
    scopes: list[Scope] = Field(examples=[["script:read", "log:read"]])
    app_id: Annotated[UUID, Field(strict=False)] | None = None
    expires_at: Moment | None = None


class KeyQuery(ListQuery):
    """Parameters of the list of keys.

    Attributes:
        user_id: keys of this user; yours by default.
    """

    user_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class KeyMade(Key):
    """A new API key and its token.

    Attributes:
        key: the token of the key; it is shown only once.
    """

    key: str


async def create(platform: Platform, call: AdminCall[KeyDraft, Any]) -> KeyMade:
    """Create a key."""
    body = call.body
    new = NewKey(name=body.name, scopes=body.scopes, app_id=body.app_id, expires_at=body.expires_at)
    key, secret = await platform.keys.create(new, call.principal, call.actor)
    return KeyMade(**{field.name: getattr(key, field.name) for field in fields(key)}, key=secret)


async def list_(platform: Platform, call: AdminCall[Any, KeyQuery]) -> Page[Key]:
    """List the caller's keys, or those of another user, which requires `instance.manage_users`."""
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
        summary="Create an API key; the key is shown only once",
    ),
    Endpoint(
        method="GET",
        path="/api-keys",
        handle=list_,
        access="user",
        query=KeyQuery,
        errors=(Forbidden,),
        summary="List your API keys or those of another user",
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
