"""File responses: headers, conditional requests, ranges and the body."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import hdrs, web
from multidict import CIMultiDict, MultiMapping

from picloud.core.errors import (
    FileUnreadable,
    Forbidden,
    NotFound,
    PreconditionFailed,
    RangeUnsatisfiable,
    ServiceError,
)
from picloud.execution.invocation import Invocation
from picloud.http.edge.responses import BODILESS
from picloud.http.public.file_headers import SAFE_HEADERS, attachment, is_known, matches, parse_range
from picloud.http.public.file_part import FilePart, FileResponse
from picloud.identity.capabilities import may
from picloud.sandbox.outcome import FileReference
from picloud.services.files.file import File
from picloud.services.files.service import Files
from picloud.services.files.store import OpenBlob


@dataclass(frozen=True, slots=True)
class FileDelivery:
    """How a file is sent.

    Attributes:
        method: of the request.
        request_headers: with status 200, a GET can be conditional or request a range.
        status: HTTP status.
        headers: of the response; they override the default Content-Type, Content-Disposition (attachment) and
            Content-Security-Policy (sandbox).
    """

    method: str
    request_headers: MultiMapping[str]
    status: int
    headers: Mapping[str, str]

    async def send(
        self, file: File, open_: Callable[[File], Awaitable[tuple[File, OpenBlob]]]
    ) -> web.Response:
        """Return a response that streams the file.

        The checksum is verified before the first byte is sent, so a damaged file is an error and not a broken
        transfer. The file is read twice, the second time from the page cache.

        Args:
            file: the file.
            open_: opens and verifies it; returns the current file and its blob.

        Raises:
            PreconditionFailed: `If-Match` names other content.
            RangeUnsatisfiable: the range starts after the end of the file.
        """
        wanted = self.request_headers.getall(hdrs.IF_MATCH, ())
        if self._is_whole_get and wanted and not matches(",".join(wanted), _tag(file)):
            raise PreconditionFailed("the file was changed in the meantime", etag=_tag(file))
        known = ",".join(self.request_headers.getall(hdrs.IF_NONE_MATCH, ()))
        if self._is_whole_get and is_known(known, _tag(file)):
            return web.Response(status=304, headers=self._headers(file, about_body=False))
        if self.method == hdrs.METH_HEAD or self.status in BODILESS:
            headers = self._headers(file)
            headers[hdrs.CONTENT_LENGTH] = str(file.size)
            return web.Response(status=self.status, headers=headers)
        file, blob = await open_(file)
        headers, part = self._headers(file), self._part(file)
        if part is None:
            return FileResponse(FilePart(blob, 0, file.size), self.status, headers)
        offset, length = part
        if not length:
            blob.close()
            raise RangeUnsatisfiable(file.size)
        headers[hdrs.CONTENT_RANGE] = f"bytes {offset}-{offset + length - 1}/{file.size}"
        return FileResponse(FilePart(blob, offset, length), 206, headers)

    @property
    def _is_whole_get(self) -> bool:
        return self.status == 200 and self.method in (hdrs.METH_GET, hdrs.METH_HEAD)

    def _headers(self, file: File, about_body: bool = True) -> CIMultiDict[str]:
        headers = CIMultiDict(self.headers)
        for name in (hdrs.ETAG, hdrs.ACCEPT_RANGES, hdrs.CONTENT_RANGE):
            headers.popall(name, None)
        if self.status == 200:
            headers[hdrs.ETAG] = _tag(file)
        for safe, value in SAFE_HEADERS.items():
            headers.setdefault(safe, value)
        if not about_body:
            headers.popall(hdrs.CONTENT_TYPE, None)
            return headers
        headers.setdefault(hdrs.CONTENT_TYPE, file.content_type)
        headers.setdefault(hdrs.CONTENT_DISPOSITION, attachment(file.name))
        if self._is_whole_get:
            headers[hdrs.ACCEPT_RANGES] = "bytes"
        return headers

    def _part(self, file: File) -> tuple[int, int] | None:
        """Return offset and length of the requested range; None for the whole file."""
        reference = self.request_headers.get(hdrs.RANGE)
        if not self._is_whole_get or reference is None or not file.size:
            return None
        if self.request_headers.get(hdrs.IF_RANGE, _tag(file)) != _tag(file):
            return None
        return parse_range(reference, file.size)


async def send_file(
    files: Files, invocation: Invocation, reference: FileReference, delivery: FileDelivery
) -> web.Response:
    """Return a response that streams the file a script returned.

    Args:
        files: the service.
        invocation: the execution; only files of its app can be sent.
        reference: the file.
        delivery: how it is sent.

    Raises:
        NotFound: the file does not exist, or was deleted in the meantime.
        Forbidden: the caller has no permission to read files.
        RangeUnsatisfiable: the range starts after the end of the file.
        FileUnreadable: its bytes do not match its checksum.
    """
    app_id, principal = invocation.script.app_id, invocation.principal
    if principal is not None and not may(principal, "files.read", app_id):
        raise Forbidden

    async def open_(file: File) -> tuple[File, OpenBlob]:
        opened = await files.open(file)
        if opened is None:
            raise NotFound("file", reference.id)
        return opened

    try:
        file = await files.find(app_id, reference.collection, reference.id)
        if file is None:
            raise NotFound("file", reference.id)
        return await delivery.send(file, open_)
    except ServiceError:
        raise FileUnreadable from None


def _tag(file: File) -> str:
    return f'"{file.sha256.hex()}"'
