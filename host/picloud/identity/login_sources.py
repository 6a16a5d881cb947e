"""Networks from which accounts logged in; guesses from elsewhere do not throttle these."""

from __future__ import annotations

from datetime import timedelta

from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.identity.tokens import token_hash

REMEMBER = timedelta(days=30)
"""How long after its last log-in a network is known."""

_SQL = load("login_sources")


class LoginSources:
    """The networks each account logged in from, in the database, as hashes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def is_known(self, network: str) -> bool:
        """Return whether an account logged in from a network recently.

        An unknown name takes the same time.

        Args:
            network: see `network_of`.
        """
        return bool(await self._database.fetchval(_SQL.source_is_known, token_hash(network), REMEMBER))

    async def keep(self, network: str) -> None:
        """Record a log-in from a network. Args: network: see `network_of`."""
        await self._database.execute(_SQL.source_keep, token_hash(network))


def network_of(account: str, origin: str) -> str:
    """Return the key of an account and the network it logs in from.

    Args:
        account: the lower-case username.
        origin: see `client_address.rate_limit_key`.
    """
    return f"{origin} {account}"  # an address contains no space
