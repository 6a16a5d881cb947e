"""Log-in, log-out, who am I, one's password and sessions, and the first start."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from picloud.core.errors import (
    Conflict,
    Forbidden,
    NotFound,
    Overloaded,
    SetupOver,
    Throttled,
    Unauthenticated,
)
from picloud.core.ids import parse_id
from picloud.core.pagination import Page
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint, ListQuery, WithHeaders
from picloud.http.admin.fields import Body
from picloud.identity.account import User
from picloud.identity.capabilities import instance_capabilities
from picloud.identity.principal import Role
from picloud.identity.sessions import ABSOLUTE, NewSession, Session
from picloud.identity.tokens import SESSION_COOKIE, SESSION_COOKIE_SECURE


class Login(Body):
    """What one logs in with; with `cookie` the token comes as a cookie that no script of a page can read.

    Attributes:
        username: the name, in any case.
        password: the password.
        cookie: whether the token shall come as a cookie instead; for browsers.
    """

    username: str
    password: str
    cookie: bool = False


class FirstOwner(Body):
    """What the setup page sends.

    Attributes:
        token: of the link.
        username: 1 to 64 characters; unique whatever the case.
        password: 10 to 256 bytes.
    """

    token: str
    username: str
    password: str


class NewPassword(Body):
    """A new password, and the one it replaces.

    Attributes:
        current: the password until now.
        password: 10 to 256 bytes.
    """

    current: str = Field(examples=["correct horse battery"])
    password: str


@dataclass(frozen=True, slots=True)
class UserShown:
    """A user as the log-in shows them.

    Attributes:
        id: the user.
        username: their name.
        role: their role in the instance.
    """

    id: UUID
    username: str
    role: Role


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A session: its token (null where it went into a cookie) and what it stands for.

    Attributes:
        token: sent as bearer from now on; None where it went into a cookie.
        expires_at: when it ends unless it is used before.
        user: who logged in.
    """

    token: str | None
    expires_at: datetime
    user: UserShown


@dataclass(frozen=True, slots=True)
class KeyShown:
    """The key one acts by.

    Attributes:
        id: the key.
        scopes: what it covers.
        app_id: the only app it is for, or None for all.
        expires_at: when it ends, or None.
    """

    id: UUID
    scopes: list[str]
    app_id: UUID | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Me:
    """Who calls, by what, and what they may do in the instance.

    Attributes:
        id: the user.
        username: their name.
        role: their role in the instance.
        principal: whether they act in person or by a key.
        key: the key, or None in person.
        capabilities: those they have in the instance; those in an app are with the app.
    """

    id: UUID
    username: str
    role: Role
    principal: Literal["user", "api_key"]
    key: KeyShown | None
    capabilities: list[str]


@dataclass(frozen=True, slots=True)
class SessionShown:
    """A session as its user sees it; `is_current` is the one that asks.

    Attributes:
        id: the session.
        created_at: when it began.
        last_seen_at: when it was last used.
        expires_at: when it ends unless it is used before.
        address: where the log-in came from.
        user_agent: what the log-in said it was made with.
        is_current: whether it is the one that asks.
    """

    id: UUID
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    address: str
    user_agent: str
    is_current: bool


def _shown(user: User, session: NewSession, token: str | None) -> LoggedIn:
    return LoggedIn(token, session.expires_at, UserShown(user.id, user.username, user.role))


def _cookie(secure: bool, token: str, seconds: int) -> dict[str, str]:
    """The header that sets the session's cookie, or clears it."""
    name = SESSION_COOKIE_SECURE if secure else SESSION_COOKIE
    flags = f"Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}"
    return {"Set-Cookie": f"{name}={token}; {flags}"}


async def log_in(platform: Platform, call: AdminCall[Login, Any]) -> WithHeaders[LoggedIn]:
    """Start a session."""
    body = call.body
    # Else a page of others could log its visitor in as someone they are not.
    if body.cookie and call.own_page is False:
        raise Forbidden("a page of another origin cannot ask for a session cookie")
    done = await platform.log_in.log_in(
        body.username, body.password, call.actor, call.headers.get("User-Agent", "")
    )
    token = done.session.token
    if not body.cookie:
        return WithHeaders(_shown(done.user, done.session, token), {})
    seconds = int(ABSOLUTE.total_seconds())  # the server ends it sooner unless it is used
    return WithHeaders(_shown(done.user, done.session, None), _cookie(call.secure, token, seconds))


async def log_out(platform: Platform, call: AdminCall[Any, Any]) -> WithHeaders[None]:
    """End the session that calls."""
    session_id = call.principal.session_id
    assert session_id is not None
    await platform.sessions.end(call.principal.user_id, session_id, call.actor)
    return WithHeaders(None, _cookie(call.secure, "", 0))


async def me(platform: Platform, call: AdminCall[Any, Any]) -> Me:
    """Tell who calls."""
    caller = call.principal
    key = caller.key
    return Me(
        caller.user_id,
        caller.username,
        caller.role,
        caller.kind,
        None if key is None else KeyShown(key.id, sorted(key.scopes), key.app_id, key.expires_at),
        instance_capabilities(caller),
    )


async def change_password(platform: Platform, call: AdminCall[NewPassword, Any]) -> None:
    """Change one's own password."""
    await platform.accounts.change_password(call.actor, call.body.current, call.body.password)


async def list_sessions(platform: Platform, call: AdminCall[Any, ListQuery]) -> Page[SessionShown]:
    """List one's own sessions."""
    current = call.principal.session_id
    page = await platform.sessions.list(call.principal.user_id, call.query.page)
    return Page([_session(one, one.id == current) for one in page.items], page.next_cursor)


def _session(one: Session, is_current: bool) -> SessionShown:
    return SessionShown(
        one.id, one.created_at, one.last_seen_at, one.expires_at, one.address, one.user_agent, is_current
    )


async def end_session(platform: Platform, call: AdminCall[Any, Any]) -> None:
    """End one of one's own sessions."""
    session_id = parse_id(call.path["session"])
    if session_id is None:
        raise NotFound("session", call.path["session"])
    await platform.sessions.end(call.principal.user_id, session_id, call.actor)


async def set_up(platform: Platform, call: AdminCall[FirstOwner, Any]) -> LoggedIn:
    """Make the first owner with the one-time link, and log them in."""
    body = call.body
    owner = await platform.setup.complete(body.token, body.username, body.password, call.actor)
    agent = call.headers.get("User-Agent", "")
    session = await platform.sessions.open(owner.id, owner.username, owner.role, call.actor, user_agent=agent)
    return _shown(owner, session, session.token)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/auth/login",
        handle=log_in,
        access="public",
        action="session.login",
        body=Login,
        headers=("User-Agent",),
        errors=(Unauthenticated, Forbidden, Throttled, Overloaded),
        summary="Start a session",
    ),
    Endpoint(
        method="POST",
        path="/auth/logout",
        handle=log_out,
        access="session",
        action="session.logout",
        status=204,
        errors=(NotFound,),
        summary="End the session",
    ),
    Endpoint(method="GET", path="/auth/me", handle=me, access="user", summary="Who am I"),
    Endpoint(
        method="POST",
        path="/auth/password",
        handle=change_password,
        access="session",
        action="user.password",
        status=204,
        body=NewPassword,
        errors=(Conflict, Throttled, Overloaded),
        summary="Change one's own password and end one's other sessions",
    ),
    Endpoint(
        method="GET",
        path="/auth/sessions",
        handle=list_sessions,
        access="session",
        query=ListQuery,
        summary="List one's own sessions",
    ),
    Endpoint(
        method="DELETE",
        path="/auth/sessions/{session}",
        handle=end_session,
        access="session",
        action="session.revoke",
        status=204,
        summary="End one of one's own sessions",
    ),
    Endpoint(
        method="POST",
        path="/auth/setup",
        handle=set_up,
        access="public",
        action="setup.complete",
        status=201,
        body=FirstOwner,
        headers=("User-Agent",),
        errors=(SetupOver, Unauthenticated, Overloaded),
        summary="Make the first owner with the one-time link",
    ),
)
