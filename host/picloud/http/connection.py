"""A connection: a deadline for its first request, and the error shape for what is no request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ClassVar

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, InvalidURLError

from picloud.errors import BadRequest, PicloudError
from picloud.http.middleware import answer_error, named
from picloud.http.peer import Network, Proxies, plain_address

FIRST_REQUEST_SECONDS = 15.0
"""How long the head of a connection's first request may take; later ones have the keep-alive time."""

_log = logging.getLogger(__name__)


class Connection(web.RequestHandler):
    """What aiohttp does with a connection, but for what goes wrong outside of our handlers.

    Attributes:
        address: of the socket's peer; empty where it has none.
        proxies: who is trusted, where that peer is among them.
    """

    __slots__ = ("_overdue", "_trusted", "address", "proxies")

    first_request_seconds: ClassVar[float] = FIRST_REQUEST_SECONDS

    def __init__(self, server: web.Server, trusted: Proxies, **arguments: Any) -> None:
        """Make it; aiohttp's own arguments go on to aiohttp. Args: trusted: proxies that are believed."""
        super().__init__(server, **arguments)
        self._trusted = trusted
        self.address = ""
        self.proxies: Proxies | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected: it gets so long to send a request, for aiohttp would wait for ever."""
        super().connection_made(transport)
        name = self.peername
        self.address = plain_address(name[0]) if isinstance(name, tuple) else ""
        self.proxies = self._trusted if self._trusted.trust(self.address) else None
        self._overdue = self._loop.call_later(self.first_request_seconds, self._give_up)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client is gone."""
        self._overdue.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        if not self._request_count:
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what cannot be parsed, in the error shape; the connection ends with it."""
        error: PicloudError
        if isinstance(exc, HttpProcessingError):
            error = BadRequest(f"this is no valid HTTP request: {_reason(exc)}")
        else:
            _log.error("a connection failed", exc_info=exc)
            error = PicloudError()
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is on its way already")
        response = answer_error(error, request)
        response.force_close()
        return response

    def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        """Send a response; a refusal of aiohttp's own gets the error shape."""
        if isinstance(resp, web.HTTPException):
            resp = answer_error(named(resp), request)
        return super().finish_response(request, resp, start_time)


def connections(
    runner: web.AppRunner, keep_alive_seconds: float, trusted: Sequence[Network] = ()
) -> Callable[[], Connection]:
    """What `loop.create_server` makes connections with.

    Args:
        runner: set up; its application answers, and its `cleanup` ends the connections.
        keep_alive_seconds: how long a connection may be idle between two requests.
        trusted: networks of the proxies that are believed (see `peer.py`).

    Returns:
        A factory of connections; they leave bodies compressed (see `body.py`).
    """
    server = runner.server
    assert server is not None
    loop = asyncio.get_running_loop()
    proxies = Proxies(trusted)

    def connect() -> Connection:
        return Connection(
            server,
            proxies,
            loop=loop,
            keepalive_timeout=keep_alive_seconds,
            access_log=None,  # no log, as AppRunner has it
            auto_decompress=False,
        )

    return connect


def _reason(error: HttpProcessingError) -> str:
    """The parser's reason without what it quotes of the request."""
    if isinstance(error, InvalidURLError):
        return "its target is no URL"
    return error.message.partition(":")[0].strip().removesuffix(".") or "it cannot be read"
