"""What a request proves who it is with: a bearer token, or the cookie of a session."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import hdrs, web

from picloud.identity.tokens import SESSION_COOKIE, SESSION_COOKIE_SECURE, bearer_token


@dataclass(frozen=True, slots=True)
class Credential:
    """What was sent; whether it is good is for `identity.credentials` to say.

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


def is_secure(request: web.Request) -> bool:
    """Tell whether the client speaks https to us. Args: request: the request."""
    return request.secure


def is_same_origin(request: web.Request) -> bool:
    """Tell whether a page of this very origin made the request, so that a cookie proves anything.

    Args:
        request: the request.

    Returns:
        What the browser says in `Sec-Fetch-Site`, or else whether `Origin` is our own; False without both.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    scheme = "https" if is_secure(request) else "http"
    return request.headers.get(hdrs.ORIGIN) == f"{scheme}://{request.headers.get(hdrs.HOST, '')}"
