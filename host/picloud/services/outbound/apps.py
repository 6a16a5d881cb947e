"""Limits the outbound calls and bytes of each app; apps do not share connections."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar

from picloud.services.outbound.addresses import Address, Addresses
from picloud.services.outbound.connector import make_connector
from picloud.services.outbound.errors import Failed
from picloud.services.outbound.headers import MAX_HEADER_BYTES, MAX_RECEIVED_HEADERS
from picloud.services.outbound.resolver import Resolver

IDLE_SECONDS = 60.0
IDEMPOTENT_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))
"""The methods that aiohttp sends again on a new connection, once, if a connection ends without a response."""
_AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class OutboundLimits:
    """Limits per worker.

    Attributes:
        calls: concurrent calls of all apps.
        app_calls: concurrent calls of one app; more wait until their deadline.
        app_mb: MiB of bodies in memory for the running calls of one app.
        app_mb_per_minute: MiB of bodies that one app sends and receives in a minute.
    """

    calls: int = 256
    app_calls: int = 32
    app_mb: int = 64
    app_mb_per_minute: int = 1024


class Share:
    """The usage of one call."""

    def __init__(self, app: _OutboundApp) -> None:
        """Use `OutboundApps.share`."""
        self._app, self._held = app, 0

    def session(self, method: str) -> ClientSession:
        """Return what sends a request. Args: method: its method, in upper case."""
        return self._app.session(method in IDEMPOTENT_METHODS)

    def hold(self, size: int) -> None:
        """Count bytes in memory until the call ends.

        Raises:
            Failed: the calls of the app exceed the limit.
        """
        self._held += size
        self._app.held += size
        if self._app.held > self._app.limits.app_mb * _MIB:
            raise Failed(
                "bytes",
                f"the running calls of this app have more than {self._app.limits.app_mb} MiB of bodies",
            )

    def move(self, size: int) -> None:
        """Count bytes sent or received.

        Raises:
            Failed: the app exceeds the limit of this minute.
        """
        app, minute = self._app, int(time.monotonic() // 60)
        if minute != app.minute:
            app.minute, app.moved = minute, 0
        app.moved += size
        if app.moved > app.limits.app_mb_per_minute * _MIB:
            maximum = app.limits.app_mb_per_minute
            raise Failed("bytes", f"this app has sent and received more than {maximum} MiB within a minute")

    def end(self) -> None:
        """Release all bytes."""
        self._app.held -= self._held
        self._held = 0


class _OutboundApp:
    """The connections and counters of one app."""

    def __init__(self, apps: OutboundApps) -> None:
        self._apps, self.limits = apps, apps.limits
        self.slots = asyncio.Semaphore(self.limits.app_calls)
        self.users = self.open = self.lookups = self.held = self.moved = self.minute = 0
        self.idle: asyncio.TimerHandle | None = None
        self._sessions: dict[bool, ClientSession] = {}

    def session(self, can_repeat: bool) -> ClientSession:
        """Return a session.

        It reuses connections unless the limit is reached or the request cannot be repeated. A server can
        close an idle connection at any time, and a request that it may have processed must not be sent
        again unless its method is idempotent (RFC 9110, section 9.2.2; RFC 9112, section 9.3.1).

        Args:
            can_repeat: whether the request is sent again if a reused connection ends without a response.
        """
        apps = self._apps
        is_open = self.open < self.limits.app_calls and apps.open < self.limits.calls
        reuse = can_repeat and is_open
        if reuse not in self._sessions:
            self._sessions[reuse] = ClientSession(
                connector=make_connector(self._look_up, apps.addresses, self._opened, reuse, apps.tls),
                cookie_jar=DummyCookieJar(),
                timeout=ClientTimeout(total=None),  # the client has one deadline for all hops
                trust_env=False,
                auto_decompress=False,
                skip_auto_headers=_AUTOMATIC,
                max_line_size=MAX_HEADER_BYTES,
                max_field_size=MAX_HEADER_BYTES,  # of one; `headers.received` limits all together
                max_headers=MAX_RECEIVED_HEADERS,
            )
        return self._sessions[reuse]

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()

    def _opened(self, change: int) -> None:
        self.open += change
        self._apps.open += change

    async def _look_up(self, host: str) -> list[Address]:
        """Look up a host. A cancelled lookup continues and counts until it ends."""
        if self.lookups >= 2 * self.limits.app_calls:
            raise Failed("lookup", "this app looks up too many hosts at once; try again")
        looking = asyncio.ensure_future(self._apps.resolver.addresses(host))
        self.lookups += 1
        looking.add_done_callback(self._looked_up)
        return await asyncio.shield(looking)

    def _looked_up(self, looking: asyncio.Future[list[Address]]) -> None:
        self.lookups -= 1
        if not looking.cancelled():
            looking.exception()  # avoids a warning about an exception that was never retrieved


class OutboundApps:
    """The outbound calls of all apps of one worker.

    Attributes:
        limits: the limits.
        addresses: the rule for addresses.
        resolver: looks hosts up.
        tls: verifies servers by the system's certificate authorities.
        open: open connections.
    """

    def __init__(self, addresses: Addresses, resolver: Resolver, limits: OutboundLimits) -> None:
        """Create it in the event loop that uses it."""
        self.addresses, self.resolver, self.limits = addresses, resolver, limits
        self.tls = ssl.create_default_context()
        self.open = 0
        self._slots = asyncio.Semaphore(limits.calls)
        self._apps: dict[UUID, _OutboundApp] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def share(self, app_id: UUID) -> AsyncIterator[Share]:
        """Wait until a call of an app can start.

        Yields:
            Its share, until the call ends.
        """
        app = self._apps.get(app_id) or self._apps.setdefault(app_id, _OutboundApp(self))
        app.users += 1
        if app.idle is not None:
            app.idle.cancel()
            app.idle = None
        try:
            async with app.slots, self._slots:
                share = Share(app)
                try:
                    yield share
                finally:
                    share.end()
        finally:
            app.users -= 1
            if not app.users:
                app.idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._drop, app_id)

    async def close(self) -> None:
        """Close every connection."""
        apps, self._apps = list(self._apps.values()), {}
        for app in apps:
            if app.idle is not None:
                app.idle.cancel()
            await app.close()
        await asyncio.gather(*self._closing)
        self.resolver.close()

    def _drop(self, app_id: UUID) -> None:
        app = self._apps.pop(app_id, None)  # None after `close`
        if app is not None:
            closing = asyncio.create_task(app.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
