"""Limits on the number of connections."""

from __future__ import annotations

import logging
import time
from typing import Protocol

from picloud.core.client_address import rate_limit_key
from picloud.core.errors import Overloaded
from picloud.core.metrics import Family, Metrics

OPEN = Family("picloud_connections", "Open client connections.", "gauge")
OPENED = Family("picloud_connections_opened_total", "Client connections opened.")
REJECTED = Family(
    "picloud_connections_refused_total",
    "Connections rejected: all were busy, or their address had too many.",
    labels={"reason": ("all", "address")},
)
EVICTED = Family("picloud_connections_evicted_total", "Idle connections closed to make room for others.")
METRICS = (OPEN, OPENED, REJECTED, EVICTED)

_log = logging.getLogger(__name__)

_EVICTED_SHARE = 16  # when full, close a 16th of all connections at once: finding the idle ones is slow
_WARNING_INTERVAL_SECONDS = 60.0  # clients must not be able to fill the log


class LimitedConnection(Protocol):
    """What the limiter needs of a connection."""

    @property
    def address(self) -> str:
        """The address of the socket's peer."""

    @property
    def idle_since(self) -> float | None:
        """When it became idle (on the loop's clock); None during a request."""

    def abort(self) -> None:
        """Close it at once."""


class ConnectionLimiter:
    """Limits the connections of one worker, in total and per address.

    When full, the connections idle the longest are closed. So a client that opens connections without
    sending requests locks no one out.
    """

    def __init__(self, max_connections: int, max_per_address: int, metrics: Metrics | None = None) -> None:
        """Create the limiter.

        Args:
            max_connections: maximum in total.
            max_per_address: maximum per IPv4 address or IPv6 /64 network.
            metrics: where to count; None for private counters.
        """
        metrics = metrics or Metrics(METRICS)
        self._open, self._opened = metrics.series(OPEN), metrics.series(OPENED)
        self._rejected, self._evicted = metrics.by_value(REJECTED), metrics.series(EVICTED)
        self._max_connections = max_connections
        self._max_per_address = max_per_address
        self._connections: dict[LimitedConnection, str | None] = {}
        self._per_address: dict[str, int] = {}
        self._last_warning = 0.0

    def __len__(self) -> int:
        return len(self._connections)

    def enter(self, connection: LimitedConnection, counted: bool) -> None:
        """Add a connection.

        Args:
            connection: the new connection.
            counted: whether the limit per address applies; False for trusted proxies.

        Raises:
            Overloaded: a limit is reached.
        """
        key = rate_limit_key(connection.address) if counted and connection.address else None
        if key is not None and self._per_address.get(key, 0) >= self._max_per_address:
            self._warn_rarely(
                "%s has %d connections to this worker; more are rejected; if it is a proxy, add it to "
                "PICLOUD_TRUSTED_PROXIES",
                key,
                self._max_per_address,
            )
            self._rejected["address"].inc()
            raise Overloaded("too many connections from this address")
        if len(self._connections) >= self._max_connections and not self._evict_idle():
            self._warn_rarely(
                "all %d connections of this worker are busy; more are rejected", self._max_connections
            )
            self._rejected["all"].inc()
            raise Overloaded("all connections are in use; try again in a second")
        self._connections[connection] = key
        self._opened.inc()
        self._open.set(len(self._connections))
        if key is not None:
            self._per_address[key] = self._per_address.get(key, 0) + 1

    def leave(self, connection: LimitedConnection) -> None:
        """Remove a connection; does nothing if it is unknown."""
        key = self._connections.pop(connection, None)
        self._open.set(len(self._connections))
        if key is None:
            return
        self._per_address[key] -= 1
        if not self._per_address[key]:
            del self._per_address[key]

    def _evict_idle(self) -> bool:
        idle = [
            (since, connection)
            for connection in self._connections
            if (since := connection.idle_since) is not None
        ]
        idle.sort(key=lambda one: one[0])
        evicted = idle[: max(1, self._max_connections // _EVICTED_SHARE)]
        for _, connection in evicted:
            self.leave(connection)
            connection.abort()
        self._evicted.inc(len(evicted))
        return bool(evicted)

    def _warn_rarely(self, text: str, *arguments: object) -> None:
        now = time.monotonic()
        if not self._last_warning or now - self._last_warning > _WARNING_INTERVAL_SECONDS:
            self._last_warning = now
            _log.warning(text, *arguments)
