"""Reading the body of a request: never more than a cap, never longer than a deadline."""

from __future__ import annotations

import asyncio
import zlib
from typing import cast

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from picloud.core.errors import BadRequest, BodyTooLarge, Overloaded, RequestTimeout, UnknownEncoding
from picloud.http.edge.connection import Connection
from picloud.http.edge.expect_continue import send_continue

_UNCOUNTED = 64 * 1024  # bytes of a body that connections may have anyway, by their number
_WINDOW = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's wbits


async def read_body(request: web.Request, cap: int, seconds: float) -> bytes:
    """Read the body.

    It is decompressed here, up to the cap and no further. aiohttp would go on behind a refusal: a
    megabyte that stands for a gigabyte would hold up the process for seconds, whatever its path. A client
    that waits for it is told to send the body here, and so only one that is wanted.

    Args:
        request: the request.
        cap: most bytes, after decompression.
        seconds: how long the whole of it may take.

    Returns:
        The bytes; empty where there is no body.

    Raises:
        BodyTooLarge: it is larger.
        RequestTimeout: it did not arrive in time.
        BadRequest: its framing or compression is broken.
        Overloaded: too much is arriving at once, and most of it from this client.
        UnknownEncoding: it is compressed in a way that is not known here.
    """
    if not request.body_exists:
        return b""
    if (request.content_length or 0) > cap:
        raise BodyTooLarge(
            f"the body has {request.content_length} bytes, above the limit of {cap}", limit=cap
        )
    connection = cast("Connection", request.protocol)
    memory = connection.edge.arriving
    inflate = _inflate(request.headers.get(hdrs.CONTENT_ENCODING))
    body = bytearray()
    arriving: _Arriving | None = None
    try:
        async with asyncio.timeout(seconds) as deadline:
            await send_continue(request)
            while chunk := await request.content.readany():
                body += chunk if inflate is None else inflate.decompress(chunk, cap + 1 - len(body))
                if len(body) > cap:
                    raise BodyTooLarge(f"the body has more than {cap} bytes", limit=cap)
                if inflate is not None and inflate.unused_data:
                    raise BadRequest("the body goes on behind its compressed data")
                if len(body) > _UNCOUNTED:
                    arriving = arriving or _Arriving(connection, body, deadline)
                    memory.reserve(arriving)
    except TimeoutError:
        if arriving is not None and arriving.given_up:
            raise Overloaded("too much is being received at once; try again in a second") from None
        raise RequestTimeout(seconds=seconds) from None
    except (web.RequestPayloadError, HttpProcessingError, zlib.error):
        raise BadRequest("the body is not framed or compressed as its headers say") from None
    finally:
        if arriving is not None:
            memory.release(arriving)
    if inflate is not None and not inflate.eof:
        raise BadRequest("the body ends within its compressed data")
    return bytes(body)


class _Arriving:
    """A body as the holder of memory that it is."""

    def __init__(self, connection: Connection, body: bytearray, deadline: asyncio.Timeout) -> None:
        self.address = connection.address
        self.given_up = False
        self._body = body
        self._deadline = deadline

    @property
    def held(self) -> int:
        return len(self._body)

    def cancel(self) -> None:
        self.given_up = True
        self._deadline.reschedule(0)  # long ago


def _inflate(encoding: str | None) -> zlib._Decompress | None:
    if encoding is None or (name := encoding.strip().lower()) in ("", "identity"):
        return None
    if name not in _WINDOW:
        raise UnknownEncoding
    return zlib.decompressobj(_WINDOW[name])
