"""The first start: how the first owner comes to be.

Everything here is inert once a user exists.
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
    """Makes the first owner, once."""

    def __init__(self, database: Database, changes: ChangeNotifier, passwords: Passwords) -> None:
        """Make it."""
        self._database = database
        self._changes = changes
        self._passwords = passwords

    async def is_over(self) -> bool:
        """Tell whether the instance has a user."""
        return bool(await self._database.fetchval(_USERS.users_exist))

    async def bootstrap(self, username: str, password: str) -> User | None:
        """Make the first owner from configuration.

        Args:
            username: PICLOUD_BOOTSTRAP_USERNAME.
            password: PICLOUD_BOOTSTRAP_PASSWORD.

        Returns:
            The new owner, or None when there was a user already.

        Raises:
            Invalid: name or password is not acceptable.
        """
        if await self.is_over():
            return None
        check_username(username)
        password_hash = await self._passwords.hash(password)
        async with self._changes.transaction("users") as connection:
            return await _first_owner(connection, username, password_hash, Actor.console("setup.bootstrap"))

    async def make_link(self) -> str | None:
        """Make the token of a one-time setup link, good for an hour.

        Returns:
            The token for `/admin/setup?token=...`, or None when there is a user already.
        """
        if await self.is_over():
            return None
        token = new_token()
        await self._database.execute(_SQL.setup_link_insert, token_hash(token), LINK_LIFETIME)
        return token

    async def is_good(self, token: str) -> bool:
        """Tell whether a link could be used now.

        Args:
            token: what the link carries.
        """
        return bool(await self._database.fetchval(_SQL.setup_link_good, token_hash(token)))

    async def complete(self, token: str, username: str, password: str, actor: Actor) -> User:
        """Use the link: make the first owner.

        Args:
            token: what the link carries.
            username: chosen name.
            password: chosen password.
            actor: nobody yet, and where they come from.

        Returns:
            The new owner.

        Raises:
            SetupOver: the link is not good, or someone was faster.
            Invalid: name or password is not acceptable; the link stays good.
        """
        if not await self.is_good(token):
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
