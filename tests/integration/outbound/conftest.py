"""Outbound calls as a server makes them, with a web server and a name server of the test."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest

from picloud.core.errors import ServiceError
from picloud.services.call_context import Call
from picloud.services.outbound.addresses import Addresses
from picloud.services.outbound.apps import OutboundLimits
from picloud.services.outbound.client import Outbound
from picloud.services.outbound.resolver import Resolver
from picloud.services.outbound.targets import Targets
from picloud.services.outbound_decisions import Decision
from tests.integration.outbound.servers import NameServer, WebServer

APP = UUID(int=1)


@dataclass(slots=True)
class WayOut:
    """The outbound calls of one execution, and their record.

    Attributes:
        outbound: the service.
        call: the execution.
    """

    outbound: Outbound
    call: Call = field(default_factory=lambda: Call(APP, uuid4(), uuid4()))

    async def request(
        self,
        url: str,
        method: str = "GET",
        headers: list[list[str]] | None = None,
        body: bytes | None = None,
        timeout_ms: int | None = 10_000,
        follow: bool = True,
        **options: Any,
    ) -> dict[str, Any]:
        return await self.outbound.request(
            self.call, method, url, headers or [], timeout_ms, follow, body, **options
        )

    async def error(self, url: str, **options: Any) -> str:
        """Return the message of a request that has no response."""
        with pytest.raises(ServiceError) as error:
            await self.request(url, **options)
        return str(error.value)

    async def denied(self, url: str, **options: Any) -> str:
        """Return the rule that denies a request, as recorded; the script gets an error that says so."""
        assert (await self.error(url, **options)).startswith("denied: ")
        return self.decision.category

    async def failed(self, url: str, **options: Any) -> str | None:
        """Return why an allowed request has no response, as recorded."""
        assert not (await self.error(url, **options)).startswith("denied: ")
        assert self.decision.category == "allowed"
        return self.decision.error

    @property
    def decision(self) -> Decision:
        """The last one."""
        return self.call.decisions.kept[-1]

    def of(self, app: UUID) -> WayOut:
        """The same for another app."""
        return WayOut(self.outbound, Call(app, uuid4(), uuid4()))


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    server = WebServer()
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def names() -> AsyncIterator[NameServer]:
    server = NameServer()
    await server.start()
    yield server
    server.close()


Make = Callable[..., WayOut]


@pytest.fixture
async def make(names: NameServer) -> AsyncIterator[Make]:
    """Creates a `WayOut`; the keywords are those of `Addresses` and `OutboundLimits`, and `denied_ports`."""
    made: list[Outbound] = []

    def one(denied_ports: tuple[int, ...] = (), limits: OutboundLimits | None = None, **rule: Any) -> WayOut:
        outbound = Outbound(Addresses(**rule), Targets(denied_ports), Resolver([names.address]), limits)
        made.append(outbound)
        return WayOut(outbound)

    yield one
    for outbound in made:
        await outbound.close()
        assert outbound.apps.open == 0


@pytest.fixture
def strict(make: Make) -> WayOut:
    """As in production."""
    return make()


@pytest.fixture
def dev(make: Make) -> WayOut:
    """As with PICLOUD_HTTP_ALLOW_PRIVATE."""
    return make(allow_private=True)


class Attempts:
    """Every address that a TCP socket of this process was told to connect to."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []
        self.watching = False

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.watching and event == "socket.connect" and arguments[0].type == 1:
            self.seen.append(arguments[1])


_ATTEMPTS = Attempts()
_hooked: list[bool] = []


@pytest.fixture
def attempts() -> Iterator[list[tuple[Any, ...]]]:
    """The addresses connected to, as the interpreter reports them; no library can bypass this."""
    if not _hooked:  # an audit hook cannot be removed
        sys.addaudithook(_ATTEMPTS.hook)
        _hooked.append(True)
    _ATTEMPTS.seen.clear()
    _ATTEMPTS.watching = True
    yield _ATTEMPTS.seen
    _ATTEMPTS.watching = False
