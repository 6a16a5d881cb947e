"""Reads request bodies, with a size limit and a timeout."""

from __future__ import annotations

import asyncio
import zlib
from typing import cast

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from picloud.core.errors import BadRequest, BodyTooLarge, Overloaded, RequestTimeout, UnknownEncoding
from picloud.http.edge.connection import Connection
from picloud.http.edge.expect_continue import send_continue

_UNCOUNTED_BYTES = 64 * 1024  # of each body; the number of connections already limits these
_WINDOW = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's wbits


async def read_body(request: web.Request, cap: int, seconds: float) -> bytes:
    """Read the body.

    The body is decompressed here, up to the limit. aiohttp would continue after an error: one megabyte that
    expands to a gigabyte would block the process for seconds. `100 Continue` is sent here too, so clients
    send only bodies that are read.

    Args:
        request: the request.
        cap: maximum bytes after decompression.
        seconds: timeout for the whole body.

    Returns:
        The bytes; empty if there is no body.

    Raises:
        BodyTooLarge: the body is larger than `cap`.
        RequestTimeout: it did not arrive in time.
        BadRequest: its framing or compression is broken.
        Overloaded: too much is being received at once, most of it from this client.
        UnknownEncoding: its Content-Encoding is not supported.
    """
    if not request.body_exists:
        return b""
    if (request.content_length or 0) > cap:
        raise BodyTooLarge(
            f"the body has {request.content_length} bytes, above the limit of {cap}", limit=cap
        )
    connection = cast("Connection", request.protocol)
    memory = connection.edge.receive_budget
    inflate = _inflate(request.headers.get(hdrs.CONTENT_ENCODING))
    body = bytearray()
    received: _ReceivedBody | None = None
    try:
        async with asyncio.timeout(seconds) as deadline:
            await send_continue(request)
            while chunk := await request.content.readany():
                body += chunk if inflate is None else inflate.decompress(chunk, cap + 1 - len(body))
                if len(body) > cap:
                    raise BodyTooLarge(f"the body has more than {cap} bytes", limit=cap)
                if inflate is not None and inflate.unused_data:
                    raise BadRequest("the body has data after the end of the compressed data")
                if len(body) > _UNCOUNTED_BYTES:
                    received = received or _ReceivedBody(connection, body, deadline)
                    memory.reserve(received)
    except TimeoutError:
        if received is not None and received.cancelled:
            raise Overloaded("too many request bodies are being received; try again in a second") from None
        raise RequestTimeout(seconds=seconds) from None
    except (web.RequestPayloadError, HttpProcessingError, zlib.error):
        raise BadRequest("the framing or compression of the body is broken") from None
    finally:
        if received is not None:
            memory.release(received)
    if inflate is not None and not inflate.eof:
        raise BadRequest("the compressed body is incomplete")
    return bytes(body)


class _ReceivedBody:
    """A body being received, as a holder of the receive budget."""

    def __init__(self, connection: Connection, body: bytearray, deadline: asyncio.Timeout) -> None:
        self.address = connection.address
        self.cancelled = False
        self._body = body
        self._deadline = deadline

    @property
    def held(self) -> int:
        return len(self._body)

    def cancel(self) -> None:
        self.cancelled = True
        self._deadline.reschedule(0)  # in the past: times out now


def _inflate(encoding: str | None) -> zlib._Decompress | None:
    if encoding is None or (name := encoding.strip().lower()) in ("", "identity"):
        return None
    if name not in _WINDOW:
        raise UnknownEncoding
    return zlib.decompressobj(_WINDOW[name])
