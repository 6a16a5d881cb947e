"""Authentication of requests: a bearer token or the session cookie."""

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
class RequestToken:
    """The token of a request; `identity.principals` validates it.

    Attributes:
        token: a session token or an API key.
        by_cookie: it came from a cookie, so a page of another origin may have caused the request.
    """

    token: str
    by_cookie: bool


def request_token(request: web.Request) -> RequestToken | None:
    """Return the bearer token of a request, or else its session cookie, or else None."""
    token = bearer_token(request.headers.get(hdrs.AUTHORIZATION))
    if token is not None:
        return RequestToken(token, by_cookie=False)
    cookies = request.headers.get(hdrs.COOKIE)
    if cookies is None or SESSION_COOKIE not in cookies:
        return None
    # Over https, only the cookie that other hosts and pages over http cannot set.
    wanted = SESSION_COOKIE_SECURE if is_secure(request) else SESSION_COOKIE
    for cookie in cookies.split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == wanted:
            return RequestToken(value, by_cookie=True)
    return None


async def optional_principal(
    principals: Principals, request: web.Request, *, needed: bool = False
) -> Principal | None:
    """Find the caller of a script.

    Args:
        principals: looks up tokens.
        request: the request.
        needed: whether to raise if the database cannot be reached.

    Returns:
        The principal. None for an anonymous caller, an invalid token, or the cookie of a write request from a
        page of another origin.

    Raises:
        Unavailable: the database cannot be reached and `needed` is true; otherwise the caller counts as
            anonymous.
    """
    sent = request_token(request)
    if sent is None or (sent.by_cookie and request.method not in _READS and not is_same_origin(request)):
        return None
    try:
        return await principals.of_token(sent.token)
    except Unavailable:
        if needed:
            raise
        return None


def is_secure(request: web.Request) -> bool:
    """Report whether the client uses https."""
    return peer(request).scheme == "https"


def is_same_origin(request: web.Request) -> bool:
    """Report whether a page of this origin made the request, so that its cookie can be trusted.

    False if the request has neither `Sec-Fetch-Site` nor `Origin`.
    """
    return is_own_page(request) is True


def is_own_page(request: web.Request) -> bool | None:
    """Report whether a page of this origin made the request, by `Sec-Fetch-Site` or else `Origin`.

    Returns:
        False for a page of another origin, None if the request has neither header.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None:
        return None
    asked = peer(request)
    return origin == f"{asked.scheme}://{asked.host}"
