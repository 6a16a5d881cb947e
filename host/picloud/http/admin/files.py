"""Files of an app."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import orjson
from aiohttp import hdrs, web

from picloud.core.errors import FileUnreadable, PreconditionFailed, RangeUnsatisfiable
from picloud.core.pagination import Page
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint, ListQuery
from picloud.http.edge.responses import SECURITY_HEADERS
from picloud.http.public.file_headers import SAFE_HEADERS
from picloud.http.public.file_response import FileDelivery
from picloud.services.files import SERVICE
from picloud.services.files.admin import FileCollection
from picloud.services.files.file import File


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file, without its content.

    Attributes:
        id: id of the file.
        collection: its collection.
        name: display name; any characters except control characters.
        content_type: its media type.
        size: size in bytes.
        sha256: SHA-256 of the content, in hexadecimal.
        metadata: metadata set by scripts.
        created_at: when it was created.
        updated_at: when it was last changed.
    """

    id: UUID
    collection: str
    name: str
    content_type: str
    size: int
    sha256: str
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, file: File) -> StoredFile:
        """Convert a file to its form in the API."""
        return cls(
            file.id,
            file.collection,
            file.name,
            file.content_type,
            file.size,
            file.sha256.hex(),
            cast("dict[str, Any]", orjson.Fragment(file.metadata)),  # already JSON
            file.created_at,
            file.updated_at,
        )


async def collections(platform: Platform, call: AdminCall[Any, ListQuery]) -> Page[FileCollection]:
    """List an app's collections."""
    return await platform.services.admin(SERVICE).collections(
        call.app.id, call.query.limit, call.query.cursor
    )


async def list_(platform: Platform, call: AdminCall[Any, ListQuery]) -> Page[StoredFile]:
    """List the files of a collection."""
    page = await platform.services.admin(SERVICE).list(call.app.id, call.path["collection"], call.query.page)
    return Page([StoredFile.of(file) for file in page.items], page.next_cursor)


async def get(platform: Platform, call: AdminCall[Any, Any]) -> StoredFile:
    """Return a file."""
    return StoredFile.of(await _find(platform, call))


async def content(platform: Platform, call: AdminCall[Any, Any]) -> web.Response:
    """Download the content of a file."""
    method = hdrs.METH_HEAD if call.head else hdrs.METH_GET
    delivery = FileDelivery(method, call.headers, 200, {**SECURITY_HEADERS, **SAFE_HEADERS})
    return await delivery.send(await _find(platform, call), platform.services.admin(SERVICE).open)


async def delete(platform: Platform, call: AdminCall[Any, Any]) -> None:
    """Delete a file."""
    await platform.services.admin(SERVICE).delete(
        call.app.id, call.path["collection"], call.path["file"], actor=call.actor
    )


async def _find(platform: Platform, call: AdminCall[Any, Any]) -> File:
    return await platform.services.admin(SERVICE).get(call.app.id, call.path["collection"], call.path["file"])


_FILE = "/apps/{app}/files/{collection}/{file}"

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/apps/{app}/files",
        handle=collections,
        access="files.read",
        query=ListQuery,
        summary="List the file collections of an app",
    ),
    Endpoint(
        method="GET",
        path="/apps/{app}/files/{collection}",
        handle=list_,
        access="files.read",
        query=ListQuery,
        summary="List the files of a collection",
    ),
    Endpoint(method="GET", path=_FILE, handle=get, access="files.read", summary="Get a file"),
    Endpoint(
        method="GET",
        path=f"{_FILE}/content",
        handle=content,
        access="files.read",
        headers=("If-Match", "If-None-Match", "Range", "If-Range"),
        errors=(FileUnreadable, PreconditionFailed, RangeUnsatisfiable),
        summary="Download a file, or a range of it, as an attachment",
    ),
    Endpoint(
        method="DELETE",
        path=_FILE,
        handle=delete,
        access="files.write",
        action="file.delete",
        status=204,
        summary="Delete a file",
    ),
)
