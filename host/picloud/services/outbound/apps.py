"""What each app may use of the way out: so many calls at once, so many bytes; its connections are its own."""

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
from picloud.services.outbound.refused import Failed
from picloud.services.outbound.resolver import Resolver

IDLE_SECONDS = 60.0
_AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bounds:
    """Most that may be used of one worker.

    Attributes:
        calls: at once, by all apps.
        app_calls: of one app at once; more wait in line, as long as their deadline lets them.
        app_mb: MiB of bodies that the running calls of one app hold.
        app_mb_per_minute: MiB of bodies that one app sends and receives in a minute.
    """

    calls: int = 256
    app_calls: int = 32
    app_mb: int = 64
    app_mb_per_minute: int = 1024


class Share:
    """What one call uses of its app's bounds.

    Attributes:
        session: to send with.
    """

    def __init__(self, app: _OutboundApp, session: ClientSession) -> None:
        """Made by `OutboundApps.share`."""
        self._app, self._held = app, 0
        self.session = session

    def hold(self, size: int) -> None:
        """Hold so many bytes more until the call ends.

        Raises:
            Failed: the app's calls hold too many together.
        """
        self._held += size
        self._app.held += size
        if self._app.held > self._app.bounds.app_mb * _MIB:
            raise Failed("bytes", f"this app's calls hold more than {self._app.bounds.app_mb} MiB of bodies")

    def move(self, size: int) -> None:
        """Count bytes sent or received.

        Raises:
            Failed: the app moved too many in this minute.
        """
        app, minute = self._app, int(time.monotonic() // 60)
        if minute != app.minute:
            app.minute, app.moved = minute, 0
        app.moved += size
        if app.moved > app.bounds.app_mb_per_minute * _MIB:
            most = app.bounds.app_mb_per_minute
            raise Failed("bytes", f"this app has sent and received more than {most} MiB within a minute")

    def end(self) -> None:
        """Hold nothing any more."""
        self._app.held -= self._held
        self._held = 0


class _OutboundApp:
    """One app's connections and counters."""

    def __init__(self, apps: OutboundApps) -> None:
        self._apps, self.bounds = apps, apps.bounds
        self.turns = asyncio.Semaphore(self.bounds.app_calls)
        self.users = self.open = self.lookups = self.held = self.moved = self.minute = 0
        self.idle: asyncio.TimerHandle | None = None
        self._sessions: dict[bool, ClientSession] = {}

    def session(self) -> ClientSession:
        """Reuses connections, unless so many are open that none may be left idle."""
        apps = self._apps
        reuse = self.open < self.bounds.app_calls and apps.open < self.bounds.calls
        if reuse not in self._sessions:
            self._sessions[reuse] = ClientSession(
                connector=make_connector(self._look_up, apps.addresses, self._opened, reuse, apps.tls),
                cookie_jar=DummyCookieJar(),
                timeout=ClientTimeout(total=None),  # one deadline for all hops is held by the client
                trust_env=False,
                auto_decompress=False,
                skip_auto_headers=_AUTOMATIC,
                max_headers=128,
            )
        return self._sessions[reuse]

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()

    def _opened(self, change: int) -> None:
        self.open += change
        self._apps.open += change

    async def _look_up(self, host: str) -> list[Address]:
        """Look up a host. One that is not waited for any more goes on, and counts until it is over."""
        if self.lookups >= 2 * self.bounds.app_calls:
            raise Failed("lookup", "too many hosts are being looked up for this app; try again")
        looking = asyncio.ensure_future(self._apps.resolver.addresses(host))
        self.lookups += 1
        looking.add_done_callback(self._looked_up)
        return await asyncio.shield(looking)

    def _looked_up(self, looking: asyncio.Future[list[Address]]) -> None:
        self.lookups -= 1
        if not looking.cancelled():
            looking.exception()  # so that nobody is told of one that nobody waited for


class OutboundApps:
    """All apps' ways out, of one worker.

    Attributes:
        bounds: what may be used.
        addresses: which addresses may be reached.
        resolver: looks hosts up.
        tls: verifies servers by the system's certificate authorities.
        open: connections at this moment.
    """

    def __init__(self, addresses: Addresses, resolver: Resolver, bounds: Bounds) -> None:
        """Make it on the loop it is used on."""
        self.addresses, self.resolver, self.bounds = addresses, resolver, bounds
        self.tls = ssl.create_default_context()
        self.open = 0
        self._turns = asyncio.Semaphore(bounds.calls)
        self._apps: dict[UUID, _OutboundApp] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def share(self, app_id: UUID) -> AsyncIterator[Share]:
        """Wait for a call's turn.

        Args:
            app_id: whose call it is.

        Returns:
            What it may use until it ends.
        """
        app = self._apps.get(app_id) or self._apps.setdefault(app_id, _OutboundApp(self))
        app.users += 1
        if app.idle is not None:
            app.idle.cancel()
            app.idle = None
        try:
            async with app.turns, self._turns:
                share = Share(app, app.session())
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
        app = self._apps.pop(app_id, None)  # none after `close`
        if app is not None:
            closing = asyncio.create_task(app.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
