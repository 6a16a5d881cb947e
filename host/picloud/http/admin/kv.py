"""Key-value entries of an app."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from picloud.core.errors import QuotaExceeded
from picloud.core.pagination import Page
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import MAX_DATA_BODY, AdminCall, Endpoint, ListQuery
from picloud.http.admin.fields import Body
from picloud.services.kv import SERVICE
from picloud.services.kv.admin import KvCollection, KvEntry, KvKey
from picloud.services.kv.service import MAX_TTL
from picloud.services.kv.value_json import Value


class EntryQuery(ListQuery):
    """Filters of the list of keys.

    Attributes:
        prefix: only keys that begin with this prefix.
    """

    prefix: str = Field("", max_length=512)


class NewEntry(Body):
    """A value: exactly one of `value`, `blob` and `packed`, as `GET` returns it.

    Attributes:
        value: any JSON value except null.
        blob: base64 of a blob.
        packed: base64 of MessagePack, for values that JSON cannot express (nested blobs, NaN, infinity), and
            for more than 250,000 values.
        ttl_seconds: the entry expires after this many seconds; never by default.
    """

    with_nul = frozenset({"value"})

    value: Any = None
    blob: str | None = None
    packed: str | None = None
    ttl_seconds: int | None = Field(None, ge=1, le=MAX_TTL)


async def collections(platform: Platform, call: AdminCall[Any, ListQuery]) -> Page[KvCollection]:
    """List an app's collections."""
    return await platform.services.admin(SERVICE).collections(
        call.app.id, call.query.limit, call.query.cursor
    )


async def list_(platform: Platform, call: AdminCall[Any, EntryQuery]) -> Page[KvKey]:
    """List the keys of a collection."""
    query = call.query
    return await platform.services.admin(SERVICE).list(
        call.app.id, call.path["collection"], query.prefix, query.limit, query.cursor
    )


async def get(platform: Platform, call: AdminCall[Any, Any]) -> KvEntry:
    """Return an entry."""
    return await platform.services.admin(SERVICE).get(
        call.app.id, call.path["collection"], call.path["entry"]
    )


async def put(platform: Platform, call: AdminCall[NewEntry, Any]) -> KvEntry:
    """Write an entry."""
    body, path = call.body, call.path
    value = Value(value=body.value, blob=body.blob, packed=body.packed)
    return await platform.services.admin(SERVICE).put(
        call.app.id, path["collection"], path["entry"], value, body.ttl_seconds, actor=call.actor
    )


async def delete(platform: Platform, call: AdminCall[Any, Any]) -> None:
    """Delete an entry."""
    await platform.services.admin(SERVICE).delete(
        call.app.id, call.path["collection"], call.path["entry"], actor=call.actor
    )


_ENTRY = "/apps/{app}/kv/{collection}/{entry}"

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/apps/{app}/kv",
        handle=collections,
        access="kv.read",
        query=ListQuery,
        summary="List the kv collections of an app",
    ),
    Endpoint(
        method="GET",
        path="/apps/{app}/kv/{collection}",
        handle=list_,
        access="kv.read",
        query=EntryQuery,
        summary="List the keys of a collection, in byte order",
    ),
    Endpoint(method="GET", path=_ENTRY, handle=get, access="kv.read", summary="Get an entry"),
    Endpoint(
        method="PUT",
        path=_ENTRY,
        handle=put,
        access="kv.write",
        action="kv.update",
        body=NewEntry,
        max_body=MAX_DATA_BODY,
        errors=(QuotaExceeded,),
        summary="Create or replace an entry",
    ),
    Endpoint(
        method="DELETE",
        path=_ENTRY,
        handle=delete,
        access="kv.write",
        action="kv.delete",
        status=204,
        summary="Delete an entry",
    ),
)
