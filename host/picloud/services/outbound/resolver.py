"""Looking up hosts, without threads that one app's slow name server could use up.

c-ares reads the system's configuration (resolv.conf and its changes, hosts, search domains) and asks on a
thread of its own; what scripts look up never waits in line with the rest of the process.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TypeAlias

import pycares

from picloud.services.outbound.addresses import Address
from picloud.services.outbound.refused import Failed

ATTEMPT_SECONDS = 2.5
ATTEMPTS = 2

Answer: TypeAlias = "asyncio.Future[pycares.AddrInfoResult]"


class Resolver:
    """Asks name servers; one per process, made on the loop it is used on."""

    def __init__(self, servers: Sequence[str] = ()) -> None:
        """Create a `Resolver`.

        Args:
            servers: addresses, with or without a port, to ask instead of the system's.
        """
        self._servers = tuple(servers)
        self._channel: pycares.Channel | None = None

    async def addresses(self, host: str) -> list[Address]:
        """Look up a host.

        A lookup that nobody waits for any more goes on until it is answered or given up.

        Args:
            host: a name, not an address.

        Returns:
            All its addresses.

        Raises:
            Failed: it has none, or no name server answered.
        """
        if self._channel is None:
            self._channel = pycares.Channel(
                timeout=ATTEMPT_SECONDS, tries=ATTEMPTS, servers=self._servers or None
            )
        loop = asyncio.get_running_loop()
        answer: Answer = loop.create_future()

        def arrived(result: pycares.AddrInfoResult | None, error: int | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, answer, result, error)

        try:
            self._channel.getaddrinfo(host, None, type=socket.SOCK_STREAM, callback=arrived)
        except pycares.AresError as error:
            raise _failed(host) from error
        try:
            result = await answer
        except pycares.AresError as error:
            raise _failed(host) from error
        return [ip_address(node.addr[0].decode("ascii")) for node in result.nodes]

    def close(self) -> None:
        """Give up what is still looked up."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None


def _settle(answer: Answer, result: pycares.AddrInfoResult | None, error: int | None) -> None:
    if answer.done():
        return
    if result is None or not result.nodes:
        answer.set_exception(pycares.AresError(error))
    else:
        answer.set_result(result)


def _failed(host: str) -> Failed:
    return Failed("lookup", f"{host} could not be looked up")
