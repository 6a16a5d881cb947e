"""Documents of an app."""

from __future__ import annotations

from typing import Any

from picloud.core.errors import QuotaExceeded
from picloud.core.pagination import Page
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import MAX_DATA_BODY, AdminCall, Endpoint, ListQuery
from picloud.http.admin.fields import Body
from picloud.services.docs import SERVICE
from picloud.services.docs.admin import DocCollection, Document


class FindQuery(ListQuery):
    """Filters of the list of documents.

    Attributes:
        filter: a filter as JSON, as for `docs::find`: `{"size.cm": {"$gte": 5}}`. With `$sort`, `$skip` or
            `$limit`, the result is a single page; use `$skip` to get the next one.
    """

    filter: str | None = None


class DocumentData(Body):
    """The content of a document.

    Attributes:
        data: the content.
    """

    data: dict[str, Any]


class DocumentPatch(Body):
    """A JSON merge patch of a document.

    Attributes:
        data: the fields to change; absent fields keep their value, null removes a field.
    """

    data: dict[str, Any]


async def collections(platform: Platform, call: AdminCall[Any, ListQuery]) -> Page[DocCollection]:
    """List an app's collections."""
    return await platform.services.admin(SERVICE).collections(
        call.app.id, call.query.limit, call.query.cursor
    )


async def list_(platform: Platform, call: AdminCall[Any, FindQuery]) -> Page[Document]:
    """List documents of a collection."""
    return await platform.services.admin(SERVICE).list(
        call.app.id, call.path["collection"], call.query.filter, call.query.page
    )


async def create(platform: Platform, call: AdminCall[DocumentData, Any]) -> Document:
    """Create a document."""
    return await platform.services.admin(SERVICE).create(
        call.app.id, call.path["collection"], call.body.data, actor=call.actor
    )


async def get(platform: Platform, call: AdminCall[Any, Any]) -> Document:
    """Return a document."""
    return await platform.services.admin(SERVICE).get(
        call.app.id, call.path["collection"], call.path["document"]
    )


async def put(platform: Platform, call: AdminCall[DocumentData, Any]) -> Document:
    """Replace the content of a document."""
    return await _change(platform, call, merge=False)


async def update(platform: Platform, call: AdminCall[DocumentPatch, Any]) -> Document:
    """Update fields of a document."""
    return await _change(platform, call, merge=True)


async def delete(platform: Platform, call: AdminCall[Any, Any]) -> None:
    """Delete a document."""
    await platform.services.admin(SERVICE).delete(
        call.app.id, call.path["collection"], call.path["document"], actor=call.actor
    )


async def _change(platform: Platform, call: AdminCall[Any, Any], *, merge: bool) -> Document:
    path, data = call.path, call.body.data
    return await platform.services.admin(SERVICE).update(
        call.app.id, path["collection"], path["document"], data, merge=merge, actor=call.actor
    )


_COLLECTION = "/apps/{app}/docs/{collection}"
_DOCUMENT = "/apps/{app}/docs/{collection}/{document}"

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/apps/{app}/docs",
        handle=collections,
        access="docs.read",
        query=ListQuery,
        summary="List the document collections of an app",
    ),
    Endpoint(
        method="GET",
        path=_COLLECTION,
        handle=list_,
        access="docs.read",
        query=FindQuery,
        summary="List the documents of a collection",
    ),
    Endpoint(
        method="POST",
        path=_COLLECTION,
        handle=create,
        access="docs.write",
        action="document.create",
        status=201,
        body=DocumentData,
        max_body=MAX_DATA_BODY,
        errors=(QuotaExceeded,),
        summary="Create a document",
    ),
    Endpoint(method="GET", path=_DOCUMENT, handle=get, access="docs.read", summary="Get a document"),
    Endpoint(
        method="PUT",
        path=_DOCUMENT,
        handle=put,
        access="docs.write",
        action="document.update",
        body=DocumentData,
        max_body=MAX_DATA_BODY,
        errors=(QuotaExceeded,),
        summary="Replace the content of a document",
    ),
    Endpoint(
        method="PATCH",
        path=_DOCUMENT,
        handle=update,
        access="docs.write",
        action="document.update",
        body=DocumentPatch,
        max_body=MAX_DATA_BODY,
        errors=(QuotaExceeded,),
        summary="Update fields of a document",
    ),
    Endpoint(
        method="DELETE",
        path=_DOCUMENT,
        handle=delete,
        access="docs.write",
        action="document.delete",
        status=204,
        summary="Delete a document",
    ),
)
