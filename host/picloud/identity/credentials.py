"""From what a client sent to who it is: a session token or an API key."""

from __future__ import annotations

from picloud.identity.principal import Principal
from picloud.identity.sessions import Sessions


class Credentials:
    """Finds the principal behind a token of either kind."""

    def __init__(self, sessions: Sessions) -> None:
        """Make it."""
        self._sessions = sessions

    async def principal(self, token: str) -> Principal | None:
        """Find who is behind a token.

        Args:
            token: what the client sent.

        Returns:
            The principal, or None when the token is not good or its user not active.

        Raises:
            Unavailable: the database had to be asked and cannot be reached.
        """
        return await self._sessions.principal(token)
