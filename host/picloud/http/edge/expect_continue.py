"""`Expect: 100-continue`: a client asks whether it shall send the body, and is told by who reads it.

aiohttp would say 100 to every head that it can read, and so invite bodies that are refused next: of
strangers, or larger than the endpoint takes.
"""

from __future__ import annotations

from aiohttp import HttpVersion11, hdrs, web

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_INVITED = web.RequestKey("invited", bool)


async def check_expect(request: web.Request) -> None:
    """Refuse what is expected and not known, and promise nothing; for `expect_handler` of every route.

    Args:
        request: with an Expect header, which means nothing in HTTP/1.0.

    Raises:
        HTTPExpectationFailed: it expects something else than 100-continue.
    """
    if request.version == HttpVersion11 and not _waits(request):
        raise web.HTTPExpectationFailed


async def send_continue(request: web.Request) -> None:
    """Tell a client that waits for it to send the body. Args: request: whose body is read next."""
    if request.version == HttpVersion11 and _waits(request):
        request[_INVITED] = True
        await request.writer.write(_CONTINUE)
        request.writer.output_size = 0  # of the answer, nothing is sent yet


def awaits_continue(request: web.BaseRequest) -> bool:
    """Tell whether a client waits, or should, to be told to send a body that nobody reads.

    Args:
        request: that was answered.
    """
    return request.body_exists and _waits(request) and _INVITED not in request


def _waits(request: web.BaseRequest) -> bool:
    return request.headers.get(hdrs.EXPECT, "").lower() == "100-continue"
