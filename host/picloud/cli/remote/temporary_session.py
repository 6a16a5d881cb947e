"""A temporary session for commands that do not work with an API key."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from picloud.cli.exits import NOT_ALLOWED, Failure
from picloud.cli.remote.client import ApiError, Client, Json, Unreachable, connect


@dataclass(frozen=True, slots=True)
class TemporarySession:
    """A session.

    Attributes:
        client: the client, authenticated by the session.
        user: the user, as returned by the API.
    """

    client: Client
    user: Json


@asynccontextmanager
async def session(url: str, username: str, password: str) -> AsyncIterator[TemporarySession]:
    """Log in, and log out at the end of the block.

    Raises:
        Failure: the username or password is wrong.
    """
    async with connect(url, None) as anonymous:
        try:
            body = {"username": username, "password": password}
            opened = await anonymous.call("POST", "auth/login", body)
        except ApiError as refused:
            if refused.status == 401:
                raise Failure("wrong username or password", NOT_ALLOWED, refused.code) from None
            raise
    async with connect(url, opened["token"]) as client:
        try:
            yield TemporarySession(client, opened["user"])
        finally:
            with contextlib.suppress(ApiError, Unreachable):
                await client.call("POST", "auth/logout")
