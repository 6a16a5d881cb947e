"""Slows down guessing: every failure too many doubles the wait, and no wait is for ever."""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import TTLCache

from picloud.errors import Throttled

FORGET_SECONDS = 3600.0
MAX_KEYS = 10_000


@dataclass(slots=True)
class _Attempts:
    count: int = 0
    not_before: float = 0.0


class Throttle:
    """Counts attempts by key, in this process.

    An attempt counts from its start, so a hundred at once do not slip through before the first fails.
    """

    def __init__(
        self, free: int, longest_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Make it.

        Args:
            free: attempts before the first wait of one second.
            longest_seconds: the wait at which doubling stops.
            clock: seconds, never going back.
        """
        self._free = free
        self._longest = longest_seconds
        self._clock = clock
        self._keys: TTLCache[str, _Attempts] = TTLCache(MAX_KEYS, FORGET_SECONDS, timer=clock)

    def attempt(self, key: str) -> None:
        """Count an attempt, or refuse it.

        Args:
            key: who tries: an account, or an address from `network`.

        Raises:
            Throttled: there is still a wait; `Retry-After` says how long. Refused attempts do not count.
        """
        attempts = self._keys.get(key) or _Attempts()
        wait = attempts.not_before - self._clock()
        if wait > 0:
            raise Throttled(math.ceil(wait))
        attempts.count += 1
        if attempts.count > self._free:
            doubled = 2.0 ** min(attempts.count - self._free - 1, 30)
            attempts.not_before = self._clock() + min(doubled, self._longest)
        self._keys[key] = attempts

    def succeeded(self, key: str) -> None:
        """Forget what was counted: the attempt was no guess."""
        self._keys.pop(key, None)


def network(address: str) -> str:
    """Whom an address belongs to: one IPv4 address, or an IPv6 /64, which one host can have whole.

    Args:
        address: the peer's address, or any other text.

    Returns:
        A key for `Throttle.attempt`.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
