"""`Expect: 100-continue`: the client waits before it sends the body; `read_body` sends the 100.

aiohttp would send 100 for every valid head, and so request bodies that are rejected next: unauthenticated
ones, or ones that are too large for the endpoint.
"""

from __future__ import annotations

from aiohttp import HttpVersion11, hdrs, web

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CONTINUE_SENT = web.RequestKey("invited", bool)


async def check_expect(request: web.Request) -> None:
    """Reject unknown expectations, without sending 100; the `expect_handler` of every route.

    Raises:
        HTTPExpectationFailed: the Expect header is not 100-continue. HTTP/1.0 ignores the header.
    """
    if request.version == HttpVersion11 and not _expects_continue(request):
        raise web.HTTPExpectationFailed


async def send_continue(request: web.Request) -> None:
    """Send `100 Continue` if the client waits for it; call this before reading the body."""
    if request.version == HttpVersion11 and _expects_continue(request):
        request[_CONTINUE_SENT] = True
        await request.writer.write(_CONTINUE)
        request.writer.output_size = 0  # nothing of the response is sent yet


def awaits_continue(request: web.BaseRequest) -> bool:
    """Report whether the client of a finished request still waits for `100 Continue`."""
    return request.body_exists and _expects_continue(request) and _CONTINUE_SENT not in request


def _expects_continue(request: web.BaseRequest) -> bool:
    return request.headers.get(hdrs.EXPECT, "").lower() == "100-continue"
