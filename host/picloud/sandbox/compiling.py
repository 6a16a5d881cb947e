"""Who compiles when: turns and a budget for each app, for saves and for executions apart.

A source can cost a thousand times what a usual one of its size costs. So an app never has more than
`AT_ONCE` compiles under way, whoever waits is served in turn with the other apps, and the fuel of an app's
compiles is limited per minute. A flood of saves cannot delay the first run of a script.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Literal, TypeAlias
from uuid import UUID

from picloud.core.app_limiter import AppLimiter
from picloud.core.errors import Overloaded, Throttled

Purpose: TypeAlias = Literal["save", "execution"]

AT_ONCE: Final = 2
"""Concurrent compiles of one app in a worker, for each purpose."""
SAVES_AT_ONCE: Final = 16
"""Concurrent compiles of all apps for saves, which have no permit; the engine has as many spare slots."""
FUEL_PER_MINUTE: Final = 40_000_000_000

_MINUTE = 60.0
_SPENT = "the scripts of this app have used up their budget for compiling; try again in a minute"


class Compiling:
    """The compiles of a worker."""

    def __init__(
        self, fuel_per_minute: int = FUEL_PER_MINUTE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Create it.

        Args:
            fuel_per_minute: fuel for the compiles of one app in a minute, for each purpose.
            clock: a monotonic clock in seconds.
        """
        self._turns: dict[Purpose, AppLimiter] = {
            "save": AppLimiter(AT_ONCE, SAVES_AT_ONCE),
            "execution": AppLimiter(AT_ONCE),
        }
        self._fuel, self._clock = fuel_per_minute, clock
        self._minute = 0
        self._spent: dict[tuple[UUID, Purpose], int] = {}

    @asynccontextmanager
    async def turn(self, app_id: UUID, purpose: Purpose) -> AsyncIterator[Callable[[int], None]]:
        """Wait for a turn, and have it.

        Args:
            app_id: the app of the script.
            purpose: "save" for a check of a source, "execution" for the first run of a version.

        Yields:
            A function that charges the app for fuel.

        Raises:
            Throttled: the app has used up its budget for saves of this minute.
            Overloaded: the same for executions.
        """
        self._require_budget(app_id, purpose)
        async with self._turns[purpose].slot(app_id):
            self._require_budget(app_id, purpose)  # others have compiled in the meantime
            yield lambda fuel: self._charge(app_id, purpose, fuel)

    def _require_budget(self, app_id: UUID, purpose: Purpose) -> None:
        now = self._clock()
        minute = int(now // _MINUTE)
        if minute != self._minute:
            self._minute = minute
            self._spent.clear()
        if self._spent.get((app_id, purpose), 0) < self._fuel:
            return
        if purpose == "save":
            raise Throttled(max(1, int((minute + 1) * _MINUTE - now)), _SPENT)
        raise Overloaded(_SPENT)

    def _charge(self, app_id: UUID, purpose: Purpose, fuel: int) -> None:
        self._spent[app_id, purpose] = self._spent.get((app_id, purpose), 0) + fuel
