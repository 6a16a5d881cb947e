"""Files of an app."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import orjson
from aiohttp import hdrs, web

from picloud.core.errors import FileUnreadable, RangeUnsatisfiable
from picloud.core.pagination import Page
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint, ListQuery
from picloud.http.edge.responses import SECURITY_HEADERS
from picloud.http.public.file_headers import SAFE_HEADERS
from picloud.http.public.file_response import FileAnswer
from picloud.services.files import SERVICE
from picloud.services.files.admin import FileCollection
from picloud.services.files.file import File


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file, without its bytes.

    Attributes:
        id: the file.
        collection: where it is.
        name: for people; any text but control characters.
        content_type: the media type it was stored with.
        size: bytes.
        sha256: of the bytes, in hexadecimal digits.
        metadata: what scripts keep with it.
        created_at: when it was made.
        updated_at: last change.
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
        """A file as the API shows it."""
        return cls(
            file.id,
            file.collection,
            file.name,
            file.content_type,
            file.size,
            file.sha256.hex(),
            cast("dict[str, Any]", orjson.Fragment(file.metadata)),  # as it was written
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
    """Show a file."""
    return StoredFile.of(await _find(platform, call))


async def content(platform: Platform, call: AdminCall[Any, Any]) -> web.Response:
    """Send a file's bytes, to be saved."""
    method = hdrs.METH_HEAD if call.head else hdrs.METH_GET
    answer = FileAnswer(method, call.headers, 200, {**SECURITY_HEADERS, **SAFE_HEADERS})
    return await answer.send(await _find(platform, call), platform.services.admin(SERVICE).open)


async def delete(platform: Platform, call: AdminCall[Any, Any]) -> None:
    """Remove a file."""
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
        summary="List an app's collections of files",
    ),
    Endpoint(
        method="GET",
        path="/apps/{app}/files/{collection}",
        handle=list_,
        access="files.read",
        query=ListQuery,
        summary="List the files of a collection",
    ),
    Endpoint(method="GET", path=_FILE, handle=get, access="files.read", summary="Show a file"),
    Endpoint(
        method="GET",
        path=f"{_FILE}/content",
        handle=content,
        access="files.read",
        headers=("If-None-Match", "Range", "If-Range"),
        errors=(FileUnreadable, RangeUnsatisfiable),
        summary="Download a file: its bytes, or a part of them, as an attachment",
    ),
    Endpoint(
        method="DELETE",
        path=_FILE,
        handle=delete,
        access="files.write",
        action="file.delete",
        status=204,
        summary="Remove a file",
    ),
)
