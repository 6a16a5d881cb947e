"""Setup: creates the first owner of an instance.

It does nothing once the instance has a user.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from picloud.core.errors import SetupOver
from picloud.db.changes import ChangeNotifier
from picloud.db.pool import Connection, Database
from picloud.db.queries import load
from picloud.identity import audit
from picloud.identity.account import User, audit_fields, check_username, insert_user
from picloud.identity.actor import Actor
from picloud.identity.passwords import Passwords
from picloud.identity.tokens import new_token, token_hash

LINK_LIFETIME = timedelta(hours=1)

_SQL = load("setup")
_USERS = load("users")


class Setup:
    """Creates the first owner, once."""

    def __init__(self, database: Database, changes: ChangeNotifier, passwords: Passwords) -> None:
        self._database = database
        self._changes = changes
        self._passwords = passwords

    async def is_complete(self) -> bool:
        """Return whether the instance has a user."""
        return bool(await self._database.fetchval(_USERS.users_exist))

    async def bootstrap(self, username: str, password: str) -> User | None:
        """Create the first owner from the configuration.

        Args:
            username: PICLOUD_BOOTSTRAP_USERNAME.
            password: PICLOUD_BOOTSTRAP_PASSWORD.

        Returns:
            The new owner, or None when the instance already has a user.

        Raises:
            Invalid: username or password is not valid.
        """
        if await self.is_complete():
            return None
        check_username(username)
        password_hash = await self._passwords.hash(password)
        async with self._changes.transaction("users") as connection:
            return await _first_owner(connection, username, password_hash, Actor.console("setup.bootstrap"))

    async def create_link(self) -> str | None:
        """Create the token of a one-time setup link, valid for one hour.

        Returns:
            The token for `/admin/setup?token=...`, or None when the instance already has a user.
        """
        if await self.is_complete():
            return None
        token = new_token()
        await self._database.execute(_SQL.setup_link_insert, token_hash(token), LINK_LIFETIME)
        return token

    async def is_valid_link(self, token: str) -> bool:
        """Return whether the token of a setup link is valid."""
        return bool(await self._database.fetchval(_SQL.setup_link_good, token_hash(token)))

    async def complete(self, token: str, username: str, password: str, actor: Actor) -> User:
        """Create the first owner with a setup link.

        Args:
            token: the token of the link.
            actor: anonymous, with the client address.

        Returns:
            The new owner.

        Raises:
            SetupOver: the link is not valid, or the instance already has a user.
            Invalid: username or password is not valid; the link remains valid.
        """
        if not await self.is_valid_link(token):
            raise SetupOver
        check_username(username)
        password_hash = await self._passwords.hash(password)
        async with self._changes.transaction("users") as connection:
            owner = await _first_owner(connection, username, password_hash, replace(actor, name="setup"))
        if owner is None:
            raise SetupOver
        return owner


async def _first_owner(
    connection: Connection, username: str, password_hash: str, actor: Actor
) -> User | None:
    await connection.execute(_USERS.users_lock)
    if await connection.fetchval(_USERS.users_exist):
        return None
    await connection.execute(_SQL.setup_links_delete)
    owner = await insert_user(connection, username, password_hash, "owner")
    await audit.write(connection, actor, target=owner.id, after=audit_fields(owner))
    return owner
