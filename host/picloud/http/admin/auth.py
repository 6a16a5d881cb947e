"""Login, logout, your account, your password and sessions, and the first setup."""

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
    """A username and a password.

    Attributes:
        username: case-insensitive.
        password: the password.
        cookie: set the token as an HttpOnly cookie instead of returning it; for browsers.
    """

    username: str
    password: str
    cookie: bool = False


class FirstOwner(Body):
    """The first owner of the instance.

    Attributes:
        token: the token of the one-time link.
        username: 1 to 64 characters; unique, case-insensitive.
        password: 10 to 256 bytes.
    """

    token: str
    username: str
    password: str


class NewPassword(Body):
    """A new password and the current one.

    Attributes:
        current: the current password.
        password: the new password, 10 to 256 bytes.
    """

    current: str = Field(examples=["correct horse battery"])
    password: str


@dataclass(frozen=True, slots=True)
class UserShown:
    """The user who logged in.

    Attributes:
        id: id of the user.
        username: the username.
        email: the email address, if the user has one.
        role: role in the instance.
    """

    id: UUID
    username: str
    email: str | None
    role: Role


@dataclass(frozen=True, slots=True)
class LoginResponse:
    """A new session.

    Attributes:
        token: send it as a bearer token; None if it was set as a cookie.
        expires_at: when the session expires if it is not used.
        user: the user who logged in.
    """

    token: str | None
    expires_at: datetime
    user: UserShown


@dataclass(frozen=True, slots=True)
class KeyShown:
    """The API key of the request.

    Attributes:
        id: id of the key.
        scopes: its scopes.
        app_id: the only app it works for; None for all apps.
        expires_at: when it expires; None for never.
    """

    id: UUID
    scopes: list[str]
    app_id: UUID | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Me:
    """The caller and their capabilities in the instance.

    Attributes:
        id: id of the user.
        username: the username.
        email: the email address, if the user has one.
        role: role in the instance.
        principal: `user` for a session, `api_key` for an API key.
        key: the API key; None for a session.
        capabilities: capabilities in the instance; those in an app are part of the app.
    """

    id: UUID
    username: str
    email: str | None
    role: Role
    principal: Literal["user", "api_key"]
    key: KeyShown | None
    capabilities: list[str]


@dataclass(frozen=True, slots=True)
class SessionShown:
    """A session of the caller.

    Attributes:
        id: id of the session.
        created_at: time of the login.
        last_seen_at: when it was last used.
        expires_at: when it expires if it is not used.
        address: client address of the login.
        user_agent: User-Agent of the login.
        is_current: whether it is the session of this request.
    """

    id: UUID
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    address: str
    user_agent: str
    is_current: bool


def _shown(user: User, session: NewSession, token: str | None) -> LoginResponse:
    return LoginResponse(token, session.expires_at, UserShown(user.id, user.username, user.email, user.role))


def _cookie(secure: bool, token: str, seconds: int) -> dict[str, str]:
    """Return the header that sets or clears the session cookie."""
    name = SESSION_COOKIE_SECURE if secure else SESSION_COOKIE
    flags = f"Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}"
    return {"Set-Cookie": f"{name}={token}; {flags}"}


async def log_in(platform: Platform, call: AdminCall[Login, Any]) -> WithHeaders[LoginResponse]:
    """Start a session."""
    body = call.body
    # Otherwise a page of another origin could log its visitor in as a different user.
    if body.cookie and call.own_page is False:
        raise Forbidden("a page of another origin cannot request a session cookie")
    done = await platform.log_in.log_in(
        body.username, body.password, call.actor, call.headers.get("User-Agent", "")
    )
    token = done.session.token
    if not body.cookie:
        return WithHeaders(_shown(done.user, done.session, token), {})
    seconds = int(ABSOLUTE.total_seconds())  # the server expires it earlier if it is not used
    return WithHeaders(_shown(done.user, done.session, None), _cookie(call.secure, token, seconds))


async def log_out(platform: Platform, call: AdminCall[Any, Any]) -> WithHeaders[None]:
    """End the session of the request."""
    session_id = call.principal.session_id
    assert session_id is not None
    await platform.sessions.end(call.principal.user_id, session_id, call.actor)
    return WithHeaders(None, _cookie(call.secure, "", 0))


async def me(platform: Platform, call: AdminCall[Any, Any]) -> Me:
    """Return the caller."""
    caller = call.principal
    key = caller.key
    user = await platform.accounts.get(str(caller.user_id))
    return Me(
        caller.user_id,
        caller.username,
        user.email,
        caller.role,
        caller.kind,
        None if key is None else KeyShown(key.id, sorted(key.scopes), key.app_id, key.expires_at),
        instance_capabilities(caller),
    )


async def change_password(platform: Platform, call: AdminCall[NewPassword, Any]) -> None:
    """Change the caller's password."""
    await platform.accounts.change_password(call.actor, call.body.current, call.body.password)


async def list_sessions(platform: Platform, call: AdminCall[Any, ListQuery]) -> Page[SessionShown]:
    """List the caller's sessions."""
    current = call.principal.session_id
    page = await platform.sessions.list(call.principal.user_id, call.query.page)
    return Page([_session(one, one.id == current) for one in page.items], page.next_cursor)


def _session(one: Session, is_current: bool) -> SessionShown:
    return SessionShown(
        one.id, one.created_at, one.last_seen_at, one.expires_at, one.address, one.user_agent, is_current
    )


async def end_session(platform: Platform, call: AdminCall[Any, Any]) -> None:
    """End a session of the caller."""
    session_id = parse_id(call.path["session"])
    if session_id is None:
        raise NotFound("session", call.path["session"])
    await platform.sessions.end(call.principal.user_id, session_id, call.actor)


async def set_up(platform: Platform, call: AdminCall[FirstOwner, Any]) -> LoginResponse:
    """Create the first owner with the one-time link, and log them in."""
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
        summary="Log in",
    ),
    Endpoint(
        method="POST",
        path="/auth/logout",
        handle=log_out,
        access="session",
        action="session.logout",
        status=204,
        errors=(NotFound,),
        summary="Log out",
    ),
    Endpoint(method="GET", path="/auth/me", handle=me, access="user", summary="Get your account"),
    Endpoint(
        method="POST",
        path="/auth/password",
        handle=change_password,
        access="session",
        action="user.password",
        status=204,
        body=NewPassword,
        errors=(Conflict, Throttled, Overloaded),
        summary="Change your password and end your other sessions",
    ),
    Endpoint(
        method="GET",
        path="/auth/sessions",
        handle=list_sessions,
        access="session",
        query=ListQuery,
        summary="List your sessions",
    ),
    Endpoint(
        method="DELETE",
        path="/auth/sessions/{session}",
        handle=end_session,
        access="session",
        action="session.revoke",
        status=204,
        summary="End one of your sessions",
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
        summary="Create the first owner with the one-time link",
    ),
)
