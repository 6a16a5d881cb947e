"""Reading the body of a request: never more than a cap, never longer than a deadline."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from picloud.errors import BadRequest, BodyTooLarge, RequestTimeout


async def read_body(request: web.Request, cap: int, seconds: float) -> bytes:
    """Read the body.

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
    """
    if not request.body_exists:
        return b""
    if (request.content_length or 0) > cap:
        raise BodyTooLarge(
            f"the body has {request.content_length} bytes, above the limit of {cap}", limit=cap
        )
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > cap:
                    raise BodyTooLarge(f"the body has more than {cap} bytes", limit=cap)
    except TimeoutError:
        raise RequestTimeout(seconds=seconds) from None
    except (web.RequestPayloadError, HttpProcessingError):
        raise BadRequest("the body is not framed or compressed as its headers say") from None
    return bytes(body)
