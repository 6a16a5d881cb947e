"""Connecting: the one place where a host becomes a connection, and where every address is checked.

aiohttp asks the resolver for names and the socket factory for every address it is about to connect to,
written in the URL or looked up. What was checked is what is connected to; nothing is looked up again between.
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
    """Looks hosts up, and gives their addresses only when each of them may be connected to."""

    def __init__(self, look_up: Callable[[str], Awaitable[list[Address]]], addresses: Addresses) -> None:
        """Create a `Checked`.

        Args:
            look_up: gives the addresses of a host.
            addresses: the rule.
        """
        self._look_up, self._addresses = look_up, addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Look up a host (see aiohttp). All its addresses are checked, the first `MAX_ADDRESSES` tried.

        Raises:
            Refused: one of them may not be connected to.
            Failed: it has none.
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
        """Nothing is held here."""


class CountedSocket(socket.socket):
    """A socket that tells when it is given up, by whichever event loop."""

    gone: Callable[[], None] | None = None

    def close(self) -> None:
        """Close it."""
        self._tell()
        super().close()

    def detach(self) -> int:
        """Leave it to someone who closes the descriptor."""
        self._tell()
        return super().detach()

    def _tell(self) -> None:
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
    """Make the connector of one app.

    Args:
        look_up: gives the addresses of a host.
        addresses: the rule.
        opened: told 1 when a connection is opened and -1 when it is closed.
        reuse: keep connections for the next request to the same host.
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
        limit=0,  # calls are bounded, see `apps`
        **({"keepalive_timeout": KEEP_ALIVE_SECONDS} if reuse else {"force_close": True}),
    )
    connector._factory = partial(_protocol, asyncio.get_running_loop())  # noqa: SLF001  # no option for it
    return connector


def _protocol(loop: asyncio.AbstractEventLoop) -> ResponseHandler:
    return Framing(loop)
