"""A file as the answer to a request: headers, conditions, ranges, and its bytes in pieces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import hdrs, web
from multidict import CIMultiDict, MultiMapping

from picloud.core.errors import FileUnreadable, Forbidden, NotFound, RangeUnsatisfiable, ServiceError
from picloud.execution.invocation import Invocation
from picloud.http.edge.responses import BODILESS
from picloud.http.public.file_headers import SAFE_HEADERS, attachment, is_known, parse_range
from picloud.http.public.file_part import FilePart, FileResponse
from picloud.identity.capabilities import may
from picloud.sandbox.outcome import FileReference
from picloud.services.files.file import File
from picloud.services.files.service import Files
from picloud.services.files.store import OpenBlob


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """What is to be sent with a file.

    Attributes:
        method: of the request.
        asked: its headers: with status 200, a GET may be conditional or want a part.
        status: HTTP status.
        headers: of the answer; Content-Type, Content-Disposition and Content-Security-Policy go before the
            file's, which has it saved and never run.
    """

    method: str
    asked: MultiMapping[str]
    status: int
    headers: Mapping[str, str]

    async def send(
        self, file: File, open_: Callable[[File], Awaitable[tuple[File, OpenBlob]]]
    ) -> web.Response:
        """Answer with a file.

        Its checksum is verified before the first byte is sent, so that what is damaged is an error and not
        a broken transfer: the file is read twice, the second time from the system's memory.

        Args:
            file: as it was found.
            open_: opens it, verified; gives it as it is then.

        Returns:
            A response that sends the file when it is written.

        Raises:
            RangeUnsatisfiable: the range lies behind its end.
        """
        known = ",".join(self.asked.getall(hdrs.IF_NONE_MATCH, ()))
        if self._plain and is_known(known, _tag(file)):
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
    def _plain(self) -> bool:
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
        if self._plain:
            headers[hdrs.ACCEPT_RANGES] = "bytes"
        return headers

    def _part(self, file: File) -> tuple[int, int] | None:
        """The part that is asked for; None for all of it."""
        wanted = self.asked.get(hdrs.RANGE)
        if not self._plain or wanted is None or not file.size:
            return None
        if self.asked.get(hdrs.IF_RANGE, _tag(file)) != _tag(file):
            return None
        return parse_range(wanted, file.size)


async def send_file(
    files: Files, invocation: Invocation, wanted: FileReference, answer: FileAnswer
) -> web.Response:
    """Answer with the file that a script answers with.

    Args:
        files: the service.
        invocation: the execution: only its app's files may be sent.
        wanted: the file.
        answer: what is to be sent with it.

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

    async def open_(file: File) -> tuple[File, OpenBlob]:
        opened = await files.open(file)
        if opened is None:
            raise NotFound("file", wanted.id)
        return opened

    try:
        file = await files.find(app_id, wanted.collection, wanted.id)
        if file is None:
            raise NotFound("file", wanted.id)
        return await answer.send(file, open_)
    except ServiceError:
        raise FileUnreadable from None


def _tag(file: File) -> str:
    return f'"{file.sha256.hex()}"'
