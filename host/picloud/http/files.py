"""A script that answers with a file: headers, conditions, ranges, and its bytes in pieces."""

from __future__ import annotations

import logging

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload
from multidict import CIMultiDict

from picloud.errors import FileUnreadable, Forbidden, NotFound, RangeUnsatisfiable, ServiceError
from picloud.execution.invocation import Invocation
from picloud.http.file_headers import SAFE_HEADERS, attachment, is_known, parse_range
from picloud.identity.capabilities import may
from picloud.sandbox.outcome import FileReference, Response
from picloud.services.files.file import File
from picloud.services.files.service import Files
from picloud.services.files.store import OpenBlob

PIECE = 256 * 1024
"""Bytes of a file that a response holds."""

_OURS = (hdrs.ETAG, hdrs.ACCEPT_RANGES, hdrs.CONTENT_RANGE)
_log = logging.getLogger(__name__)


async def send_file(
    files: Files, request: web.Request, invocation: Invocation, answer: Response, wanted: FileReference
) -> web.Response:
    """Answer with a file.

    Its checksum is verified before the first byte is sent, so that what is damaged is an error and not
    a broken transfer: the file is read twice, the second time from the system's memory.

    Args:
        files: the service.
        request: what is answered; with status 200, a GET may be conditional or want a part.
        invocation: the execution: only its app's files may be sent.
        answer: status and headers; Content-Type, Content-Disposition and Content-Security-Policy of the
            script's go before the file's, which has it saved and never run.
        wanted: the file.

    Returns:
        A response that sends the file when it is written.

    Raises:
        NotFound: there is no such file, or it was removed meanwhile.
        Forbidden: who called the script may not read files.
        RangeUnsatisfiable: the range lies behind its end.
        FileUnreadable: its bytes are not those that were stored.
    """
    app_id, principal = invocation.script.app_id, invocation.principal
    if principal is not None and not may(principal, "files.read", app_id):
        raise Forbidden
    try:
        file = await files.find(app_id, wanted.collection, wanted.id)
        if file is None:
            raise NotFound("file", wanted.id)
        plain = answer.status == 200 and request.method in (hdrs.METH_GET, hdrs.METH_HEAD)
        if plain and is_known(",".join(request.headers.getall(hdrs.IF_NONE_MATCH, ())), _tag(file)):
            return web.Response(status=304, headers=_headers(answer, file, about_body=False))
        if request.method == hdrs.METH_HEAD:
            return _response(answer, file, plain)
        opened = await files.open(file)
    except ServiceError:
        raise FileUnreadable from None
    if opened is None:
        raise NotFound("file", wanted.id)
    file, blob = opened
    part = _part(request, file) if plain and request.method == hdrs.METH_GET else None
    if part is None:
        return _response(answer, file, plain, FilePart(blob, 0, file.size))
    offset, length = part
    if not length:
        blob.close()
        raise RangeUnsatisfiable(file.size)
    response = _response(answer, file, plain, FilePart(blob, offset, length))
    response.set_status(206)
    response.headers[hdrs.CONTENT_RANGE] = f"bytes {offset}-{offset + length - 1}/{file.size}"
    return response


class FilePart(Payload):
    """Some bytes of a blob, as the body of a response."""

    def __init__(self, blob: OpenBlob, offset: int, length: int) -> None:
        """Make it. Args: blob: open; it is closed when this is. offset, length: which part."""
        super().__init__(blob, content_type="application/octet-stream")
        self._blob, self._offset, self._size = blob, offset, length

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Not of a file."""
        raise TypeError("a file is sent in pieces")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send it, no faster than the client takes it."""
        at, end = self._offset, self._offset + (self._size or 0)
        while at < end:
            try:
                piece = await self._blob.read(at, min(PIECE, end - at))
            except OSError:
                _log.exception("a file that is being sent could not be read")
                piece = b""
            if not piece:  # the client sees that it is not all, for the connection ends
                raise ConnectionResetError("the file cannot be read any further")
            at += len(piece)
            await writer.write(piece)

    async def close(self) -> None:
        """Let go of the blob."""
        self._blob.close()


def _response(answer: Response, file: File, plain: bool, body: FilePart | None = None) -> web.Response:
    headers = _headers(answer, file)
    if plain:
        headers[hdrs.ACCEPT_RANGES] = "bytes"
    if body is None:
        headers[hdrs.CONTENT_LENGTH] = str(file.size)
    return web.Response(body=body, status=answer.status, headers=headers)


def _headers(answer: Response, file: File, about_body: bool = True) -> CIMultiDict[str]:
    headers = CIMultiDict(answer.headers)
    for name in _OURS:
        headers.popall(name, None)
    if answer.status == 200:
        headers[hdrs.ETAG] = _tag(file)
    for safe, value in SAFE_HEADERS.items():
        headers.setdefault(safe, value)
    if about_body:
        headers.setdefault(hdrs.CONTENT_TYPE, file.content_type)
        headers.setdefault(hdrs.CONTENT_DISPOSITION, attachment(file.name))
    else:
        headers.popall(hdrs.CONTENT_TYPE, None)
    return headers


def _tag(file: File) -> str:
    return f'"{file.sha256.hex()}"'


def _part(request: web.Request, file: File) -> tuple[int, int] | None:
    """The part that is asked for; None for all of it."""
    wanted = request.headers.get(hdrs.RANGE)
    if wanted is None or not file.size or request.headers.get(hdrs.IF_RANGE, _tag(file)) != _tag(file):
        return None
    return parse_range(wanted, file.size)
