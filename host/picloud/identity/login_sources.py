"""Where accounts log in from: a place that was right before need not wait for guesses made elsewhere."""

from __future__ import annotations

from datetime import timedelta

from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.identity.tokens import token_hash

REMEMBER = timedelta(days=30)
"""So long after its last log-in a place is known."""

_SQL = load("login_sources")


class LoginSources:
    """The networks each account logged in from, in the database, as hashes."""

    def __init__(self, database: Database) -> None:
        """Make it."""
        self._database = database

    async def know(self, place: str) -> bool:
        """Tell whether an account logged in from there of late.

        The work is the same for a name that nobody has, so that its time tells nothing.

        Args:
            place: see `place_of`.
        """
        return bool(await self._database.fetchval(_SQL.source_is_known, token_hash(place), REMEMBER))

    async def keep(self, place: str) -> None:
        """Remember that an account logged in from there. Args: place: see `place_of`."""
        await self._database.execute(_SQL.source_keep, token_hash(place))


def network_of(account: str, origin: str) -> str:
    """An account at an address.

    Args:
        account: what attempts on it are counted under.
        origin: what the address is counted under (`address.source`).
    """
    return f"{origin} {account}"  # no address has a space
