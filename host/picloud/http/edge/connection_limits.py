"""How many connections there may be."""

from __future__ import annotations

import logging
import time
from typing import Protocol

from picloud.core.client_address import rate_limit_key
from picloud.core.errors import Overloaded
from picloud.core.metrics import Family, Metrics

OPEN = Family("picloud_connections", "Connections of clients that are open.", "gauge")
OPENED = Family("picloud_connections_opened_total", "Connections that clients have opened.")
REFUSED = Family(
    "picloud_connections_refused_total",
    "Connections refused because all were at work, or because their address had too many.",
    labels={"reason": ("all", "address")},
)
EVICTED = Family("picloud_connections_evicted_total", "Idle connections closed to make room for others.")
METRICS = (OPEN, OPENED, REFUSED, EVICTED)

_log = logging.getLogger(__name__)

_ROOM = 16  # when it is full, so many parts of the whole make room at once: looking for them costs
_QUIET_SECONDS = 60.0  # between two complaints, or an attacker could fill the log


class LimitedConnection(Protocol):
    """A connection."""

    @property
    def address(self) -> str:
        """Of the socket's peer."""

    @property
    def waiting_since(self) -> float | None:
        """When it began to wait for a request (on the loop's clock); None while one is under way."""

    def abort(self) -> None:
        """End it without further ado."""


class ConnectionLimiter:
    """The connections of one worker: so many in all, and so many of one address.

    When there are too many in all, those that have waited for a request the longest make room: who
    opens connections and asks nothing shuts nobody out.
    """

    def __init__(self, most: int, most_of_one: int, metrics: Metrics | None = None) -> None:
        """Make it.

        Args:
            most: connections in all.
            most_of_one: of one IPv4 address, or of one IPv6 network of 64 bits.
            metrics: where it counts; None for itself.
        """
        metrics = metrics or Metrics(METRICS)
        self._open, self._opened = metrics.series(OPEN), metrics.series(OPENED)
        self._refused, self._evicted = metrics.by_value(REFUSED), metrics.series(EVICTED)
        self._most = most
        self._most_of_one = most_of_one
        self._guests: dict[LimitedConnection, str | None] = {}
        self._of_one: dict[str, int] = {}
        self._complained = 0.0

    def __len__(self) -> int:
        return len(self._guests)

    def enter(self, guest: LimitedConnection, counted: bool) -> None:
        """Count a connection.

        Args:
            guest: the connection.
            counted: whether its address has a share; a trusted proxy has none.

        Raises:
            Overloaded: it may not stay.
        """
        key = rate_limit_key(guest.address) if counted and guest.address else None
        if key is not None and self._of_one.get(key, 0) >= self._most_of_one:
            self._warn_rarely(
                "%s has %d connections to this worker, more are refused; if it is a proxy, name it in "
                "PICLOUD_TRUSTED_PROXIES",
                key,
                self._most_of_one,
            )
            self._refused["address"].inc()
            raise Overloaded("there are too many connections from this address")
        if len(self._guests) >= self._most and not self._make_room():
            self._warn_rarely("all %d connections of this worker are at work, more are refused", self._most)
            self._refused["all"].inc()
            raise Overloaded("all connections are in use; try again in a second")
        self._guests[guest] = key
        self._opened.inc()
        self._open.set(len(self._guests))
        if key is not None:
            self._of_one[key] = self._of_one.get(key, 0) + 1

    def leave(self, guest: LimitedConnection) -> None:
        """A connection has ended. Args: guest: the connection, whether it was counted or not."""
        key = self._guests.pop(guest, None)
        self._open.set(len(self._guests))
        if key is None:
            return
        self._of_one[key] -= 1
        if not self._of_one[key]:
            del self._of_one[key]

    def _make_room(self) -> bool:
        waiting = [(since, guest) for guest in self._guests if (since := guest.waiting_since) is not None]
        waiting.sort(key=lambda one: one[0])
        leaving = waiting[: max(1, self._most // _ROOM)]
        for _, guest in leaving:
            self.leave(guest)
            guest.abort()
        self._evicted.inc(len(leaving))
        return bool(leaving)

    def _warn_rarely(self, text: str, *arguments: object) -> None:
        now = time.monotonic()
        if not self._complained or now - self._complained > _QUIET_SECONDS:
            self._complained = now
            _log.warning(text, *arguments)
