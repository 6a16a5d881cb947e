"""A connection: deadlines for heads and for answers, and the error shape for what is no request."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import HttpVersion11, web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError, InvalidURLError, LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestPayloadError, _ErrInfo

from picloud.core.errors import (
    BadRequest,
    HeadTooLarge,
    Overloaded,
    PicloudError,
    RequestTimeout,
    TargetTooLong,
)
from picloud.core.metrics import Family, Metrics
from picloud.http.edge import connection_limits, transfer_memory
from picloud.http.edge.connection_limits import ConnectionLimiter
from picloud.http.edge.expect_continue import awaits_continue
from picloud.http.edge.middleware import answer_error, named
from picloud.http.edge.peer import Network, Proxies, plain_address
from picloud.http.edge.request_head import validate_head
from picloud.http.edge.transfer_memory import TransferBudget

MAX_TARGET = 8 * 1024
"""Bytes of a request's target."""
MAX_FIELD = 16 * 1024
"""Bytes of one header."""
MAX_FIELDS = 128
"""Headers of one request."""
MAX_HEAD = 64 * 1024
"""Bytes of a whole head."""

REQUESTS = Family(
    "picloud_http_requests_total",
    "Requests that were answered, by the class of the status.",
    labels={"status": ("1xx", "2xx", "3xx", "4xx", "5xx")},
)
METRICS = (REQUESTS, *connection_limits.METRICS, *transfer_memory.METRICS)

_LEAST_SENT = 64 * 1024  # a client that takes less in the time it has for it takes nothing, as it were
_LINGER_SECONDS = 5.0  # for the rest of a body that was refused, so that the client sees the answer
_LINGER_BYTES = 16 * 1024 * 1024
_FAREWELLS = 64  # connections at once that are told why they are refused; more are cut off
_PIPELINED = 4  # requests read ahead of the one under way

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What connections of a worker are held to.

    Attributes:
        trusted: networks of the proxies that are believed (see `peer.py`).
        head_seconds: how long the head of a request may take, from its first byte; of the first
            request from the connection.
        keep_alive_seconds: how long a connection may be idle between two requests.
        send_seconds: in this time a client takes 64 KiB of an answer, or the rest of it.
        connections: how many there may be.
        connections_per_address: how many of one address that is no trusted proxy's.
        held_bytes: what bodies that arrive may hold together, and as much the answers not taken yet.
    """

    trusted: tuple[Network, ...] = ()
    head_seconds: float = 15.0
    keep_alive_seconds: float = 15.0
    send_seconds: float = 30.0
    connections: int = 4096
    connections_per_address: int = 512
    held_bytes: int = 256 * 1024 * 1024


class Edge:
    """What the connections of a worker share.

    Attributes:
        rules: what they are held to.
        proxies: those that are believed.
        census: how many there are.
        farewells: those beside them that are being told that there are too many.
        arriving: what bodies of requests hold.
        leaving: what answers hold.
        answered: counts requests, by the hundreds of the status.
    """

    def __init__(self, rules: Rules, metrics: Metrics) -> None:
        """Make it."""
        self.rules = rules
        self.proxies = Proxies(rules.trusted)
        self.census = ConnectionLimiter(rules.connections, rules.connections_per_address, metrics)
        self.farewells: set[Connection] = set()
        self.arriving = TransferBudget(rules.held_bytes, "in", metrics)
        self.leaving = TransferBudget(rules.held_bytes, "out", metrics)
        self.answered = {int(status[0]): series for status, series in metrics.by_value(REQUESTS).items()}


class Connection(web.RequestHandler):
    """What aiohttp does with a connection, but for what goes wrong outside of our handlers.

    Attributes:
        address: of the socket's peer; empty where it has none.
        proxies: who is trusted, where that peer is among them.
        edge: what connections share.
        held: bytes of an answer that the client has not taken all of.
    """

    __slots__ = (
        "_answer",
        "_body",
        "_deadline",
        "_drained",
        "_fed",
        "_sending",
        "_unsent",
        "_wire",
        "address",
        "edge",
        "held",
        "proxies",
    )

    def __init__(self, edge: Edge, server: web.Server, **arguments: Any) -> None:
        """Make it; other arguments are aiohttp's. Args: edge: what connections share; server: its own."""
        super().__init__(server, **arguments)
        self._max_msg_queue_size = _PIPELINED
        self._msg_queue_resume_size = _PIPELINED // 2
        self.address = ""
        self.proxies: Proxies | None = None
        self.edge = edge
        self.held = 0
        self._wire: asyncio.Transport | None = None  # aiohttp forgets its own when it closes
        self._body: StreamReader = EMPTY_PAYLOAD  # of the last head
        self._fed = 0  # bytes of a head that is not complete
        self._drained = 0  # bytes of a body nobody reads
        self._deadline: asyncio.TimerHandle | None = None  # of a head
        self._sending: asyncio.TimerHandle | None = None
        self._unsent = 0  # bytes, when sending was looked at last
        self._answer = 0  # bytes of the last answer's body, which is kept until the last of it is sent

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        wire = cast("asyncio.Transport", transport)
        name = wire.get_extra_info("peername")
        self.address = plain_address(name[0]) if isinstance(name, tuple) else ""
        if self.edge.proxies.trust(self.address):
            self.proxies = self.edge.proxies
        try:
            self.edge.census.enter(self, counted=self.proxies is None)
        except Overloaded as error:
            if len(self.edge.farewells) >= _FAREWELLS:
                wire.abort()
                return
            self.edge.farewells.add(self)
            self._close = True  # what it asks is not looked at
            self._messages.append((_refusal(error), EMPTY_PAYLOAD))
        self._wire = wire
        wire.set_write_buffer_limits(0)  # so that an answer counts as sent only when all of it is
        super().connection_made(transport)
        self._deadline = self._loop.call_later(self.edge.rules.head_seconds, self._head_is_late)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client is gone."""
        self.edge.census.leave(self)
        self.edge.farewells.discard(self)
        self.edge.leaving.release(self)
        self._wire = None
        for timer in (self._deadline, self._sending):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    @property
    def waiting_since(self) -> float | None:
        """When it began to wait for a request; None while one is under way."""
        waiting = self._waiter is not None and not self._waiter.done()
        return self._next_keepalive_close_time if waiting else None

    def abort(self) -> None:
        """End it without further ado, and forget what is not sent."""
        if self._wire is not None:
            self._wire.abort()

    cancel = abort

    # Requests on their way in.

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        count, in_body = self._request_count, not self._body.is_eof()
        super().data_received(data)
        if self._request_count != count:
            self._heads_have_come(self._request_count - count, len(data))
        elif in_body:
            self._body_goes_on(len(data))
        elif data and not self._close and not self._force_close:
            self._head_goes_on(len(data))

    def _heads_have_come(self, count: int, size: int) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        large, self._fed = self._fed + size > MAX_HEAD, 0
        messages = self._messages
        for at in range(-count, 0):
            message, body = messages[at]
            if isinstance(message, _ErrInfo):  # the parser complains of a head of its own, or of a body
                if not self._body.is_eof():
                    self._give_up_body("its framing is broken")  # one request gets one answer
                return
            try:
                judged = validate_head(message, MAX_HEAD if large else None)
            except PicloudError as error:
                messages[at] = (_refusal(error, message), body)
            else:
                if judged is not message:
                    messages[at] = (judged, body)
            self._body = body

    def _decline_upgrade(self) -> None:
        """What came behind a request for another protocol is HTTP: aiohttp would not have it judged."""
        if self._parser is None:
            return
        self._parser.set_upgraded(False)
        self._upgraded = False
        tail, self._message_tail = self._message_tail, b""
        self.data_received(tail)
        if self._buffer_paused:
            self._resume_reading_if_drained()

    def _body_goes_on(self, size: int) -> None:
        if not self._request_in_progress:  # nobody reads it any more
            self._drained += size
            if self._drained > _LINGER_BYTES:
                self._give_up_body("nobody reads it")

    def _give_up_body(self, reason: str) -> None:
        self._close = True
        self._body.set_exception(RequestPayloadError(reason))

    def _head_goes_on(self, size: int) -> None:
        self._fed += size
        if self._fed > MAX_HEAD:
            self._refuse(HeadTooLarge(f"the head of the request has more than {MAX_HEAD} bytes"))
        elif self._deadline is None:
            self._deadline = self._loop.call_later(self.edge.rules.head_seconds, self._head_is_late)

    def _head_is_late(self) -> None:
        self._deadline = None
        if self._fed:
            self._refuse(RequestTimeout("the head of the request did not arrive in time"))
        else:
            self.force_close()

    def _refuse(self, error: PicloudError) -> None:
        """Answer a head that is not complete; or close behind the request that is under way."""
        self._close = True  # what else comes is not looked at
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            self._request_count += 1
            self._messages.append((_refusal(error), EMPTY_PAYLOAD))
            waiter.set_result(None)

    def _process_keepalive(self) -> None:
        """The time to be idle is over; a head that has begun has a deadline of its own."""
        if self._deadline is None:
            super()._process_keepalive()
        else:
            self._keepalive_handle = None

    # Answers on their way out.

    def pause_writing(self) -> None:
        """The client takes an answer more slowly than it is sent."""
        super().pause_writing()
        self._watch_sending()

    def resume_writing(self) -> None:
        """The client has taken everything."""
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None
        self.edge.leaving.release(self)
        super().resume_writing()

    def _watch_sending(self) -> None:
        if self._wire is None:
            return
        self._unsent = self._wire.get_write_buffer_size()
        self.held = max(self._answer, self._unsent)
        self._sending = self._loop.call_later(self.edge.rules.send_seconds, self._sending_is_late)
        self.edge.leaving.reserve(self)

    def _sending_is_late(self) -> None:
        self._sending = None
        if self._wire is None or self._unsent - self._wire.get_write_buffer_size() < _LEAST_SENT:
            self.abort()
        else:
            self._watch_sending()

    def notice_dead_peer(self) -> None:
        """Have the system end the connection when the client acknowledges nothing in the time it has.

        Of an answer that goes on for hours little is sent at a time; it would wait in the system's buffer
        for a quarter of an hour after the client was cut off from the network.
        """
        option = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux
        own = self._wire.get_extra_info("socket") if self._wire is not None else None
        if option is not None and own is not None and own.family in (socket.AF_INET, socket.AF_INET6):
            own.setsockopt(socket.IPPROTO_TCP, option, int(self.edge.rules.send_seconds * 1000))

    # Refusals.

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what cannot be parsed, in the error shape; the connection ends with it."""
        error, headers = PicloudError(), cast("Mapping[str, str]", request.headers)
        if isinstance(exc, _Refused):
            error = exc.error
            if exc.head is not None:
                headers = exc.head.headers
                request._method = exc.head.method  # noqa: SLF001  # to HEAD, no body
        elif isinstance(exc, HttpProcessingError):
            error = _meaning(exc)
        else:
            _log.error("a connection failed", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is on its way already")
        request._version = HttpVersion11  # noqa: SLF001  # aiohttp takes what it cannot read for HTTP/1.0
        response = answer_error(error, headers)
        response.force_close()
        return response

    def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        """Send a response; a refusal of aiohttp's own gets the error shape."""
        if self._upgraded and not self._messages and self._payload_parser is None:
            self._decline_upgrade()
        if isinstance(resp, web.HTTPException):
            resp = answer_error(named(resp), request.headers)
        if not request.content.is_eof() and awaits_continue(request):
            resp.force_close()  # nobody knows whether the body will come
            if not request.content.total_bytes:
                self._lingering_time = 0.0
        body = resp.body if isinstance(resp, web.Response) else None
        self._answer = len(body) if isinstance(body, bytes) else 0
        self.edge.answered[resp.status // 100].inc()
        return super().finish_response(request, resp, start_time)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log; but not that a body nobody reads is broken, or anyone could fill the log."""
        if not isinstance(kw.get("exc_info"), RequestPayloadError):
            super().log_exception(*args, **kw)


def connections(
    runner: web.AppRunner, rules: Rules | None = None, metrics: Metrics | None = None
) -> Callable[[], Connection]:
    """What `loop.create_server` makes connections with.

    Args:
        runner: set up; its application answers, and its `cleanup` ends the connections.
        rules: what they are held to.
        metrics: where they count; None for themselves.

    Returns:
        A factory of connections; they leave bodies compressed (see `body.py`).
    """
    server = runner.server
    assert server is not None
    loop = asyncio.get_running_loop()
    edge = Edge(rules or Rules(), metrics or Metrics(METRICS))

    def connect() -> Connection:
        return Connection(
            edge,
            server,
            loop=loop,
            keepalive_timeout=edge.rules.keep_alive_seconds,
            access_log=None,  # no log, as AppRunner has it
            auto_decompress=False,
            max_line_size=MAX_TARGET,
            max_field_size=MAX_FIELD,
            max_headers=MAX_FIELDS,
            lingering_time=_LINGER_SECONDS,
        )

    return connect


class _Refused(Exception):
    """A request was refused by its head, or before there was one."""

    def __init__(self, error: PicloudError, head: RawRequestMessage | None) -> None:
        super().__init__(error)
        self.error = error
        self.head = head


def _refusal(error: PicloudError, head: RawRequestMessage | None = None) -> _ErrInfo:
    return _ErrInfo(error.status, _Refused(error, head), error.message)


def _meaning(error: HttpProcessingError) -> PicloudError:
    """What the parser complains about, without what it quotes of the request."""
    if isinstance(error, LineTooLong):
        if error.args[1] == MAX_TARGET:
            return TargetTooLong(f"the target of the request has more than {MAX_TARGET} bytes")
        return HeadTooLarge(f"a header of the request has more than {MAX_FIELD} bytes")
    if isinstance(error, InvalidURLError):
        return BadRequest("this is no valid HTTP request: its target is no URL")
    if error.message == "Too many headers received":
        return HeadTooLarge(f"the request has more than {MAX_FIELDS} headers")
    reason = error.message.partition(":")[0].strip().removesuffix(".") or "it cannot be read"
    return BadRequest(f"this is no valid HTTP request: {reason}")
