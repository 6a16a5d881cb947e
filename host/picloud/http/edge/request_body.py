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
from picloud.http.edge.receiver import RejectedBody

_UNCOUNTED_BYTES = 64 * 1024  # of each body; the number of connections already limits these
_PIECE = 256 * 1024  # bytes decompressed before other tasks run
_WINDOW = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's wbits


async def read_body(request: web.Request, cap: int, seconds: float) -> bytes:
    """Read the body.

    The body is decompressed here, up to the limit. aiohttp would continue after an error: one megabyte that
    expands to a gigabyte would block the process for seconds. `100 Continue` is sent here too, so clients
    send only bodies that are read.

    Args:
        request: the request.
        cap: maximum bytes, as received and after decompression.
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
    inflate = _inflate(", ".join(request.headers.getall(hdrs.CONTENT_ENCODING, ())))
    body, wire = bytearray(), 0
    received: _ReceivedBody | None = None
    try:
        async with asyncio.timeout(seconds) as deadline:
            await send_continue(request)
            while chunk := await request.content.readany():
                wire += len(chunk)
                if wire > cap:
                    raise BodyTooLarge(f"the body has more than {cap} bytes", limit=cap)
                if inflate is None:
                    body += chunk
                else:
                    await _decompress(inflate, chunk, body, cap)
                if len(body) > _UNCOUNTED_BYTES:
                    received = received or _ReceivedBody(connection, body, deadline)
                    memory.reserve(received)
    except TimeoutError:
        if received is not None and received.cancelled:
            raise Overloaded("too many request bodies are being received; try again in a second") from None
        raise RequestTimeout(seconds=seconds) from None
    except RejectedBody as rejected:
        if isinstance(rejected.error, BodyTooLarge):
            connection.keep_discarding()
        raise rejected.error from None
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


async def _decompress(inflate: zlib._Decompress, data: bytes, body: bytearray, cap: int) -> None:
    """Add decompressed data to a body, with a turn for other tasks after each piece."""
    while True:
        size = min(_PIECE, cap + 1 - len(body))
        piece = inflate.decompress(data, size)
        body += piece
        if len(body) > cap:
            raise BodyTooLarge(f"the body has more than {cap} bytes after decompression", limit=cap)
        if inflate.unused_data:
            raise BadRequest("the body has data after the end of the compressed data")
        data = inflate.unconsumed_tail
        if not data and len(piece) < size:
            return
        await asyncio.sleep(0)


def _inflate(encoding: str) -> zlib._Decompress | None:
    if (name := encoding.strip().lower()) in ("", "identity"):
        return None
    if name not in _WINDOW:
        raise UnknownEncoding
    return zlib.decompressobj(_WINDOW[name])
