"""Looks up hosts without a thread pool that one slow name server could exhaust.

c-ares reads the configuration of the system (resolv.conf and its changes, hosts, search domains) and has its
own thread; lookups of scripts do not wait for those of the server.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TypeAlias

import pycares

from picloud.services.outbound.addresses import Address
from picloud.services.outbound.errors import Failed

ATTEMPT_SECONDS = 2.5
ATTEMPTS = 2

_REASONS = {
    pycares.errno.ARES_ENOTFOUND: "there is no such name",
    pycares.errno.ARES_ENODATA: "it has no address",
    pycares.errno.ARES_ETIMEOUT: "the name server did not respond",
    pycares.errno.ARES_ECONNREFUSED: "the name server cannot be reached",
    pycares.errno.ARES_ESERVFAIL: "the name server failed",
    pycares.errno.ARES_EBADNAME: "the name is not valid",
}

Lookup: TypeAlias = "asyncio.Future[pycares.AddrInfoResult]"


class Resolver:
    """Queries name servers. One per process, created in the event loop that uses it."""

    def __init__(self, servers: Sequence[str] = ()) -> None:
        """Create a `Resolver`.

        Args:
            servers: addresses of name servers, with an optional port; empty for those of the system.
        """
        self._servers = tuple(servers)
        self._channel: pycares.Channel | None = None

    async def addresses(self, host: str) -> list[Address]:
        """Look up a host.

        A cancelled lookup continues until it ends.

        Args:
            host: a name, not an address.

        Returns:
            All its addresses.

        Raises:
            Failed: it has no address, or no name server replied.
        """
        if self._channel is None:
            self._channel = pycares.Channel(
                timeout=ATTEMPT_SECONDS, tries=ATTEMPTS, servers=self._servers or None
            )
        loop = asyncio.get_running_loop()
        lookup: Lookup = loop.create_future()

        def arrived(result: pycares.AddrInfoResult | None, error: int | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, lookup, result, error)

        try:
            self._channel.getaddrinfo(host, None, type=socket.SOCK_STREAM, callback=arrived)
        except pycares.AresError as error:
            raise _failed(host, error) from error
        try:
            result = await lookup
        except pycares.AresError as error:
            raise _failed(host, error) from error
        return [ip_address(node.addr[0].decode("ascii")) for node in result.nodes]

    def close(self) -> None:
        """Cancel current lookups."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None


def _settle(lookup: Lookup, result: pycares.AddrInfoResult | None, error: int | None) -> None:
    if lookup.done():
        return
    if result is None or not result.nodes:
        lookup.set_exception(pycares.AresError(error))
    else:
        lookup.set_result(result)


def _failed(host: str, error: pycares.AresError) -> Failed:
    reason = _REASONS.get(error.args[0] if error.args else None)
    return Failed("lookup", f"{host} could not be looked up{f': {reason}' if reason else ''}")
