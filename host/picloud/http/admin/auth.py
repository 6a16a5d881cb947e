"""Log-in, log-out, who am I, and the first start."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from picloud.errors import SetupOver, Throttled, Unauthenticated
from picloud.http.admin.endpoint import Call, Endpoint
from picloud.http.fields import Body
from picloud.http.services import Services
from picloud.identity.users import User


class Credentials(Body):
    """What one logs in with."""

    username: str
    password: str


class FirstOwner(Credentials):
    """What the setup page sends."""

    token: str


@dataclass(frozen=True, slots=True)
class UserShown:
    """A user as the log-in shows them."""

    id: UUID
    username: str
    role: str


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A session's token and what it stands for."""

    token: str
    expires_at: datetime
    user: UserShown


@dataclass(frozen=True, slots=True)
class Me:
    """Who calls, and by what."""

    id: UUID
    username: str
    role: str
    principal: str


async def _open_session(services: Services, user: User) -> LoggedIn:
    token, expires_at = await services.sessions.open(user.id)
    return LoggedIn(token, expires_at, UserShown(user.id, user.username, user.role))


async def log_in(services: Services, call: Call[Credentials, Any]) -> LoggedIn:
    """Start a session."""
    user = await services.users.log_in(call.body.username, call.body.password, call.actor.address)
    return await _open_session(services, user)


async def log_out(services: Services, call: Call[Any, Any]) -> None:
    """End the session whose token was sent."""
    await services.sessions.end(call.token or "")


async def me(services: Services, call: Call[Any, Any]) -> Me:
    """Tell who calls."""
    principal = call.principal
    return Me(principal.user_id, principal.username, principal.role, principal.kind)


async def set_up(services: Services, call: Call[FirstOwner, Any]) -> LoggedIn:
    """Make the first owner with the one-time link, and log them in."""
    body = call.body
    return await _open_session(
        services, await services.setup.complete(body.token, body.username, body.password)
    )


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/auth/login",
        handle=log_in,
        access="public",
        action="session.login",
        body=Credentials,
        errors=(Unauthenticated, Throttled),
        summary="Start a session",
    ),
    Endpoint(
        method="POST",
        path="/auth/logout",
        handle=log_out,
        access="user",
        action="session.logout",
        status=204,
        summary="End the session",
    ),
    Endpoint(method="GET", path="/auth/me", handle=me, access="user", summary="Who am I"),
    Endpoint(
        method="POST",
        path="/auth/setup",
        handle=set_up,
        access="public",
        action="setup.complete",
        status=201,
        body=FirstOwner,
        errors=(SetupOver,),
        summary="Make the first owner with the one-time link",
    ),
)
