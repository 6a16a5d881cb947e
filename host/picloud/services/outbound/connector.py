"""The connector: the only place that opens connections, and checks every address.

aiohttp calls the resolver for names, and the socket factory for every address before it connects, literal or
looked up. The checked address is the one that is used; there is no second lookup.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from ipaddress import ip_address
from typing import Any

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler

from picloud.services.outbound.addresses import Address, Addresses
from picloud.services.outbound.framing import Framing

MAX_ADDRESSES = 8
KEEP_ALIVE_SECONDS = 15.0


class Checked(AbstractResolver):
    """Looks up hosts; requires that all their addresses are allowed."""

    def __init__(self, look_up: Callable[[str], Awaitable[list[Address]]], addresses: Addresses) -> None:
        """Create a `Checked`.

        Args:
            look_up: returns the addresses of a host.
            addresses: the rule for addresses.
        """
        self._look_up, self._addresses = look_up, addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Look up a host (see aiohttp). All its addresses are checked, the first `MAX_ADDRESSES` tried.

        Raises:
            Denied: an address is denied.
            Failed: it has no address.
        """
        found = await self._look_up(host)
        for address in found:
            self._addresses.check(address, port)
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found[:MAX_ADDRESSES]
        ]

    async def close(self) -> None:
        """Nothing to close."""


class CountedSocket(socket.socket):
    """A socket that reports when it is closed, in any event loop."""

    gone: Callable[[], None] | None = None

    def close(self) -> None:
        """Close it."""
        self._report()
        super().close()

    def detach(self) -> int:
        """Detach the descriptor; the caller closes it."""
        self._report()
        return super().detach()

    def _report(self) -> None:
        gone, self.gone = self.gone, None
        if gone is not None:
            gone()


def make_connector(
    look_up: Callable[[str], Awaitable[list[Address]]],
    addresses: Addresses,
    opened: Callable[[int], None],
    reuse: bool,
    tls: Any,
) -> TCPConnector:
    """Create the connector of one app.

    Args:
        look_up: returns the addresses of a host.
        addresses: the rule for addresses.
        opened: called with 1 when a connection opens and -1 when it closes.
        reuse: whether to keep connections for the next request to the same host.
        tls: the SSL context; certificates are always verified.
    """

    def make_socket(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, where = info
        addresses.check(ip_address(where[0]), where[1])
        made = CountedSocket(family, kind, protocol)
        made.gone = lambda: opened(-1)
        opened(1)
        return made

    connector = TCPConnector(
        resolver=Checked(look_up, addresses),
        use_dns_cache=False,
        socket_factory=make_socket,
        ssl=tls,
        limit=0,  # calls are limited in `apps`
        **({"keepalive_timeout": KEEP_ALIVE_SECONDS} if reuse else {"force_close": True}),
    )
    connector._factory = partial(_protocol, asyncio.get_running_loop())  # noqa: SLF001  # there is no option
    return connector


def _protocol(loop: asyncio.AbstractEventLoop) -> ResponseHandler:
    return Framing(loop)
