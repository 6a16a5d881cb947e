"""A connection: timeouts for request heads and responses, and error responses for invalid requests."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import HttpVersion11, web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestPayloadError, _ErrInfo

from picloud.core.errors import (
    BodyTooLarge,
    Overloaded,
    PicloudError,
    RequestTimeout,
)
from picloud.core.metrics import Family, Metrics
from picloud.http.edge import connection_limits, transfer_memory
from picloud.http.edge.connection_limits import ConnectionLimiter
from picloud.http.edge.expect_continue import awaits_continue
from picloud.http.edge.middleware import as_picloud_error, unrouted_error_response
from picloud.http.edge.peer import Network, Proxies, normalize_address
from picloud.http.edge.receiver import Receiver, parse_error
from picloud.http.edge.request_head import validate_head
from picloud.http.edge.transfer_memory import TransferBudget
from picloud.http.edge.turns import Turns

REQUESTS = Family(
    "picloud_http_requests_total",
    "Requests with a response, by class of the status.",
    labels={"status": ("1xx", "2xx", "3xx", "4xx", "5xx")},
)
METRICS = (REQUESTS, *connection_limits.METRICS, *transfer_memory.METRICS)

_MIN_SENT = 64 * 1024  # a client that takes less per `send_seconds` counts as stalled
_LINGER_SECONDS = 5.0  # to read the rest of a rejected body, so that the client sees the response
_LINGER_BYTES = 16 * 1024 * 1024
_MAX_REJECTED = 64  # connections above the limit that get a 503 at a time; more are closed without one

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The limits and timeouts of a worker's connections.

    Attributes:
        trusted: networks of trusted proxies (see `peer.py`).
        head_seconds: timeout for a request head, from its first byte; for the first request, from the start
            of the connection.
        keep_alive_seconds: idle timeout between two requests.
        send_seconds: a client must take 64 KiB of a response, or the rest of it, in this time.
        connections: maximum number of connections.
        connections_per_address: maximum number per address; trusted proxies are exempt.
        held_bytes: memory limit for bodies being received; responses being sent have the same limit again.
    """

    trusted: tuple[Network, ...] = ()
    head_seconds: float = 15.0
    keep_alive_seconds: float = 15.0
    send_seconds: float = 30.0
    connections: int = 4096
    connections_per_address: int = 512
    held_bytes: int = 256 * 1024 * 1024


class Edge:
    """State shared by the connections of a worker.

    Attributes:
        rules: limits and timeouts.
        proxies: the trusted proxies.
        limiter: counts and limits the connections.
        rejected: connections above the limit that are being sent a 503.
        receive_budget: memory of request bodies.
        send_budget: memory of responses.
        turns: shares the time for parsing large input.
        responses: counters of responses, by the first digit of the status.
    """

    def __init__(self, rules: Rules, metrics: Metrics) -> None:
        self.rules = rules
        self.turns = Turns()
        self.proxies = Proxies(rules.trusted)
        self.limiter = ConnectionLimiter(rules.connections, rules.connections_per_address, metrics)
        self.rejected: set[Connection] = set()
        self.receive_budget = TransferBudget(rules.held_bytes, "in", metrics)
        self.send_budget = TransferBudget(rules.held_bytes, "out", metrics)
        self.responses = {int(status[0]): series for status, series in metrics.by_value(REQUESTS).items()}


class Connection(Receiver):
    """aiohttp's connection, with our timeouts, limits and error responses.

    Attributes:
        address: of the socket's peer; empty for a Unix socket.
        proxies: the trusted proxies if that peer is one of them, else None.
        edge: state shared by all connections.
        held: bytes of a response that the client has not taken completely.
    """

    __slots__ = (
        "_body_size",
        "_deadline",
        "_discarded",
        "_own_transport",
        "_sending",
        "_unsent",
        "address",
        "edge",
        "held",
        "proxies",
    )

    def __init__(self, edge: Edge, server: web.Server, **arguments: Any) -> None:
        """Create the connection; the other arguments are aiohttp's."""
        super().__init__(edge.turns, server, **arguments)
        self.address = ""
        self.proxies: Proxies | None = None
        self.edge = edge
        self.held = 0
        self._own_transport: asyncio.Transport | None = None  # aiohttp drops its reference on close
        self._discarded = 0  # received of a body that no handler reads, and behind the last request
        self._deadline: asyncio.TimerHandle | None = None  # of a head
        self._sending: asyncio.TimerHandle | None = None
        self._unsent = 0  # bytes at the last check
        self._body_size = 0  # of the last response; the body stays in memory until all of it is sent

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection, or reject it if there are too many."""
        own = cast("asyncio.Transport", transport)
        name = own.get_extra_info("peername")
        self.address = normalize_address(name[0]) if isinstance(name, tuple) else ""
        if self.edge.proxies.trust(self.address):
            self.proxies = self.edge.proxies
        try:
            self.edge.limiter.enter(self, counted=self.proxies is None)
        except Overloaded as error:
            if len(self.edge.rejected) >= _MAX_REJECTED:
                own.abort()
                return
            self.edge.rejected.add(self)
            self._close = True  # its requests are not read
            self._messages.append((_error_info(error), EMPTY_PAYLOAD))
        self._own_transport = own
        own.set_write_buffer_limits(0)  # so that a response counts as sent only when all of it is
        super().connection_made(transport)
        self.head_incomplete()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Release everything the connection holds."""
        self.edge.limiter.leave(self)
        self.edge.rejected.discard(self)
        self.edge.send_budget.release(self)
        self._own_transport = None
        for timer in (self._deadline, self._sending):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    @property
    def idle_since(self) -> float | None:
        """When it became idle (on the loop's clock); None during a request."""
        waiting = self._waiter is not None and not self._waiter.done()
        return self._next_keepalive_close_time if waiting else None

    def abort(self) -> None:
        """Close the connection at once; unsent data is lost."""
        if self._own_transport is not None:
            self._own_transport.abort()

    cancel = abort

    # Receiving requests.

    def head_received(self, message: RawRequestMessage) -> bool:
        """Check a head; an invalid one is replaced by its error."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        try:
            validated = validate_head(message)
        except PicloudError as error:
            self._messages[-1] = (_error_info(error, message), self._body)
            return False
        if validated is not message:
            self._messages[-1] = (validated, self._body)
        return True

    def head_incomplete(self) -> None:
        """Start the timeout of a head."""
        if self._deadline is None:
            self._deadline = self._loop.call_later(self.edge.rules.head_seconds, self._head_timed_out)

    def body_received(self, size: int) -> None:
        """Limit a body that no handler reads."""
        if not self._request_in_progress:
            self._discarded += size
            if self._discarded > _LINGER_BYTES:
                self.reject_body(BodyTooLarge())

    def excess_received(self, size: int) -> None:
        """Limit what follows the last request."""
        self._discarded += size
        if self._discarded > _LINGER_BYTES:
            self.abort()

    def reject(self, error: PicloudError) -> None:
        """Answer what follows the last request with an error, and end the connection."""
        self.end_input()
        self._request_count += 1
        self._messages.append((_error_info(error), EMPTY_PAYLOAD))
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _head_timed_out(self) -> None:
        self._deadline = None
        if self._ahead:
            self.reject(RequestTimeout("the request headers did not arrive in time"))
        else:
            self.force_close()

    def _process_keepalive(self) -> None:
        """Handle the idle timeout; a head that has begun has its own timeout."""
        if self._deadline is None:
            super()._process_keepalive()
        else:
            self._keepalive_handle = None

    # Sending responses.

    def pause_writing(self) -> None:
        """Start the send timeout: the client takes data more slowly than it is sent."""
        super().pause_writing()
        self._watch_sending()

    def resume_writing(self) -> None:
        """Stop the send timeout: the client has taken everything."""
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None
        self.edge.send_budget.release(self)
        super().resume_writing()

    def _watch_sending(self) -> None:
        if self._own_transport is None:
            return
        self._unsent = self._own_transport.get_write_buffer_size()
        self.held = max(self._body_size, self._unsent)
        self._sending = self._loop.call_later(self.edge.rules.send_seconds, self._send_timed_out)
        self.edge.send_budget.reserve(self)

    def _send_timed_out(self) -> None:
        self._sending = None
        if (
            self._own_transport is None
            or self._unsent - self._own_transport.get_write_buffer_size() < _MIN_SENT
        ):
            self.abort()
        else:
            self._watch_sending()

    def detect_dead_peer(self) -> None:
        """Make the kernel close the connection if the client acknowledges nothing for `send_seconds`.

        A long stream sends little at a time. Without this, its data would wait in the kernel's buffer for
        a quarter of an hour after the client has lost its network.
        """
        option = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux
        own = self._own_transport.get_extra_info("socket") if self._own_transport is not None else None
        if option is not None and own is not None and own.family in (socket.AF_INET, socket.AF_INET6):
            own.setsockopt(socket.IPPROTO_TCP, option, int(self.edge.rules.send_seconds * 1000))

    # Error responses.

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the error response for a request that cannot be parsed, and close the connection."""
        error, headers = PicloudError(), cast("Mapping[str, str]", request.headers)
        if isinstance(exc, _Rejection):
            error = exc.error
            if exc.head is not None:
                headers = exc.head.headers
                request._method = exc.head.method  # noqa: SLF001  # to HEAD, no body
        elif isinstance(exc, HttpProcessingError):
            error = parse_error(exc)
        else:
            _log.error("a connection failed", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("a response has already begun")
        request._version = HttpVersion11  # noqa: SLF001  # aiohttp assumes HTTP/1.0 if it cannot parse
        response = unrouted_error_response(error, headers)
        response.force_close()
        return response

    def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        """Send a response; aiohttp's own errors become the error object."""
        if self._upgraded and not self._messages and self._payload_parser is None:
            self._decline_upgrade()
        if isinstance(resp, web.HTTPException):
            resp = unrouted_error_response(as_picloud_error(resp), request.headers)
        if not request.content.is_eof() and awaits_continue(request):
            resp.force_close()  # the client may or may not send the body
            if not request.content.total_bytes:
                self._lingering_time = 0.0
        elif self._broken and not request.content.is_eof():
            resp.force_close()  # the rest of the body cannot be found
        body = resp.body if isinstance(resp, web.Response) else None
        self._body_size = len(body) if isinstance(body, bytes) else 0
        self.edge.responses[resp.status // 100].inc()
        return super().finish_response(request, resp, start_time)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log an error, except for broken bodies that no handler reads: clients could fill the log."""
        if not isinstance(kw.get("exc_info"), RequestPayloadError):
            super().log_exception(*args, **kw)


def connections(
    runner: web.AppRunner, rules: Rules | None = None, metrics: Metrics | None = None
) -> Callable[[], Connection]:
    """Return the protocol factory for `loop.create_server`.

    Args:
        runner: already set up; its application handles the requests, its `cleanup` closes the connections.
        rules: limits and timeouts.
        metrics: where to count; None for private counters.

    Returns:
        A factory of connections; they do not decompress bodies (see `request_body.py`).
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
            access_log=None,
            auto_decompress=False,
            lingering_time=_LINGER_SECONDS,
        )

    return connect


class _Rejection(Exception):
    """A request rejected by its head, or before one was read."""

    def __init__(self, error: PicloudError, head: RawRequestMessage | None) -> None:
        super().__init__(error)
        self.error = error
        self.head = head


def _error_info(error: PicloudError, head: RawRequestMessage | None = None) -> _ErrInfo:
    return _ErrInfo(error.status, _Rejection(error, head), error.message)
