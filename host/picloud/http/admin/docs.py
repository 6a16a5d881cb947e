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
    """Which documents.

    Attributes:
        filter: JSON of a filter, as scripts write it for `find`: `{"size.cm": {"$gte": 5}}`. With
            `$sort`, `$skip` or `$limit` in it the answer is one page; `$skip` leads on from there.
    """

    filter: str | None = None


class DocumentData(Body):
    """A document.

    Attributes:
        data: what shall be in it.
    """

    data: dict[str, Any]


class DocumentPatch(Body):
    """A JSON merge patch of a document.

    Attributes:
        data: what shall be different in it: what is absent stays, null removes.
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
    """Make a document."""
    return await platform.services.admin(SERVICE).create(
        call.app.id, call.path["collection"], call.body.data, actor=call.actor
    )


async def get(platform: Platform, call: AdminCall[Any, Any]) -> Document:
    """Show a document."""
    return await platform.services.admin(SERVICE).get(
        call.app.id, call.path["collection"], call.path["document"]
    )


async def put(platform: Platform, call: AdminCall[DocumentData, Any]) -> Document:
    """Replace what is in a document."""
    return await _change(platform, call, merge=False)


async def update(platform: Platform, call: AdminCall[DocumentPatch, Any]) -> Document:
    """Change some of what is in a document."""
    return await _change(platform, call, merge=True)


async def delete(platform: Platform, call: AdminCall[Any, Any]) -> None:
    """Remove a document."""
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
        summary="List an app's collections of documents",
    ),
    Endpoint(
        method="GET",
        path=_COLLECTION,
        handle=list_,
        access="docs.read",
        query=FindQuery,
        summary="List documents of a collection",
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
        summary="Make a document",
    ),
    Endpoint(method="GET", path=_DOCUMENT, handle=get, access="docs.read", summary="Show a document"),
    Endpoint(
        method="PUT",
        path=_DOCUMENT,
        handle=put,
        access="docs.write",
        action="document.update",
        body=DocumentData,
        max_body=MAX_DATA_BODY,
        errors=(QuotaExceeded,),
        summary="Replace what is in a document",
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
        summary="Change some of what is in a document",
    ),
    Endpoint(
        method="DELETE",
        path=_DOCUMENT,
        handle=delete,
        access="docs.write",
        action="document.delete",
        status=204,
        summary="Remove a document",
    ),
)
