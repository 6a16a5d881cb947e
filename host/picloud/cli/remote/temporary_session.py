"""A session for as long as a command needs one: what no key will do."""

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
        client: calls the server in it.
        user: who logged in, as the API shows them.
    """

    client: Client
    user: Json


@asynccontextmanager
async def session(url: str, username: str, password: str) -> AsyncIterator[TemporarySession]:
    """Log in, and out again at the end.

    Args:
        url: of the server.
        username: as typed.
        password: as typed.

    Raises:
        Failure: name and password do not fit.
    """
    async with connect(url, None) as nobody:
        try:
            body = {"username": username, "password": password}
            opened = await nobody.call("POST", "auth/login", body)
        except ApiError as refused:
            if refused.status == 401:
                raise Failure("wrong name or password", NOT_ALLOWED, refused.code) from None
            raise
    async with connect(url, opened["token"]) as client:
        try:
            yield TemporarySession(client, opened["user"])
        finally:
            with contextlib.suppress(ApiError, Unreachable):
                await client.call("POST", "auth/logout")
