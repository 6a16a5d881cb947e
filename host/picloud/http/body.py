"""Reading the body of a request: never more than a cap, never longer than a deadline."""

from __future__ import annotations

import asyncio
import zlib

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from picloud.errors import BadRequest, BodyTooLarge, RequestTimeout, UnknownEncoding

_WINDOW = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's wbits


async def read_body(request: web.Request, cap: int, seconds: float) -> bytes:
    """Read the body.

    It is decompressed here, up to the cap and no further. aiohttp would go on behind a refusal: a
    megabyte that stands for a gigabyte would hold up the process for seconds, whatever its path.

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
        UnknownEncoding: it is compressed in a way that is not known here.
    """
    if not request.body_exists:
        return b""
    if (request.content_length or 0) > cap:
        raise BodyTooLarge(
            f"the body has {request.content_length} bytes, above the limit of {cap}", limit=cap
        )
    inflate = _inflate(request.headers.get(hdrs.CONTENT_ENCODING))
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while chunk := await request.content.readany():
                body += chunk if inflate is None else inflate.decompress(chunk, cap + 1 - len(body))
                if len(body) > cap:
                    raise BodyTooLarge(f"the body has more than {cap} bytes", limit=cap)
                if inflate is not None and inflate.unused_data:
                    raise BadRequest("the body goes on behind its compressed data")
    except TimeoutError:
        raise RequestTimeout(seconds=seconds) from None
    except (web.RequestPayloadError, HttpProcessingError, zlib.error):
        raise BadRequest("the body is not framed or compressed as its headers say") from None
    if inflate is not None and not inflate.eof:
        raise BadRequest("the body ends within its compressed data")
    return bytes(body)


def _inflate(encoding: str | None) -> zlib._Decompress | None:
    if encoding is None or (name := encoding.strip().lower()) in ("", "identity"):
        return None
    if name not in _WINDOW:
        raise UnknownEncoding
    return zlib.decompressobj(_WINDOW[name])
