"""What a request proves who it is with: a bearer token, or the cookie of a session."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import hdrs, web

from picloud.core.errors import Unavailable
from picloud.http.edge.peer import peer
from picloud.identity.principal import Principal
from picloud.identity.principals import Principals
from picloud.identity.tokens import SESSION_COOKIE, SESSION_COOKIE_SECURE, bearer_token

_READS = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})


@dataclass(frozen=True, slots=True)
class Credential:
    """What was sent; whether it is good is for `identity.principals` to say.

    Attributes:
        token: a session token or an API key.
        by_cookie: the browser sent it by itself, whichever page made the request.
    """

    token: str
    by_cookie: bool


def credential(request: web.Request) -> Credential | None:
    """Find what a request proves who it is with.

    Args:
        request: the request.

    Returns:
        The bearer token where there is one, else the session cookie, else None.
    """
    token = bearer_token(request.headers.get(hdrs.AUTHORIZATION))
    if token is not None:
        return Credential(token, by_cookie=False)
    cookies = request.headers.get(hdrs.COOKIE)
    if cookies is None or SESSION_COOKIE not in cookies:
        return None
    # Over https only the name that no other host and no page without https can have set.
    wanted = SESSION_COOKIE_SECURE if is_secure(request) else SESSION_COOKIE
    for cookie in cookies.split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == wanted:
            return Credential(value, by_cookie=True)
    return None


async def visitor(principals: Principals, request: web.Request, *, needed: bool = False) -> Principal | None:
    """Find who calls a script, which anyone may.

    Args:
        principals: tells who is behind a token.
        request: the request.
        needed: whether the answer depends on it.

    Returns:
        The principal; None for nobody, for a token that is not good, and for a cookie that a page of
        another origin had sent with a write.

    Raises:
        Unavailable: it is needed and the database cannot be reached; otherwise they are nobody.
    """
    sent = credential(request)
    if sent is None or (sent.by_cookie and request.method not in _READS and not is_same_origin(request)):
        return None
    try:
        return await principals.of_token(sent.token)
    except Unavailable:
        if needed:
            raise
        return None


def is_secure(request: web.Request) -> bool:
    """Tell whether the client speaks https to us. Args: request: the request."""
    return peer(request).scheme == "https"


def is_same_origin(request: web.Request) -> bool:
    """Tell whether a page of this very origin made the request, so that a cookie proves anything.

    Args:
        request: the request.

    Returns:
        What the browser says in `Sec-Fetch-Site`, or else whether `Origin` is our own; False without both.
    """
    return is_own_page(request) is True


def is_own_page(request: web.Request) -> bool | None:
    """Tell whose page made a request.

    Args:
        request: the request.

    Returns:
        True for a page of this very origin, False for another's, None when no browser says anything.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None:
        return None
    asked = peer(request)
    return origin == f"{asked.scheme}://{asked.host}"
