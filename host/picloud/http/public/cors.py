"""CORS headers and preflight responses, from an app's settings (`routing/cors.py`)."""

from __future__ import annotations

import re

from aiohttp import hdrs, web

from picloud.routing.cors import Cors

_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z, \t-]{1,4096}", re.ASCII)
_OURS = (
    hdrs.ACCESS_CONTROL_ALLOW_ORIGIN,
    hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS,
    hdrs.ACCESS_CONTROL_EXPOSE_HEADERS,
    hdrs.ACCESS_CONTROL_ALLOW_METHODS,
    hdrs.ACCESS_CONTROL_ALLOW_HEADERS,
    hdrs.ACCESS_CONTROL_MAX_AGE,
)


def is_preflight(request: web.Request) -> bool:
    """Report whether the request is a CORS preflight request."""
    headers = request.headers
    return (
        request.method == hdrs.METH_OPTIONS
        and hdrs.ORIGIN in headers
        and hdrs.ACCESS_CONTROL_REQUEST_METHOD in headers
    )


def preflight(cors: Cors, request: web.Request) -> web.Response:
    """Return the response to a preflight request: 204, without CORS headers if the origin is not allowed."""
    response = web.Response(status=204)
    allow(cors, request, response)
    headers = response.headers
    if hdrs.ACCESS_CONTROL_ALLOW_ORIGIN not in headers:
        return response
    headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = ", ".join(cors.methods)
    if cors.headers == ("*",):
        # Not `*`, which does not include Authorization.
        asked = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "")
        if _NAMES.fullmatch(asked):
            headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = asked
    elif cors.headers:
        headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = ", ".join(cors.headers)
    headers.pop(hdrs.ACCESS_CONTROL_EXPOSE_HEADERS, None)
    headers[hdrs.ACCESS_CONTROL_MAX_AGE] = str(cors.max_age_seconds)
    headers[hdrs.VARY] = "Origin, Access-Control-Request-Headers"
    return response


def allow(cors: Cors, request: web.Request, response: web.StreamResponse) -> None:
    """Set the CORS headers of a response; headers of these names set by the script are replaced."""
    headers = response.headers
    for name in _OURS:
        headers.popall(name, None)
    vary = headers.popall(hdrs.VARY, [])
    headers[hdrs.VARY] = ", ".join([*vary, "Origin"])
    origin = request.headers.get(hdrs.ORIGIN)
    allowed = cors.allowed(origin) if origin is not None else None
    if allowed is None:
        return
    headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = allowed
    if cors.credentials:
        headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"
    if cors.expose_headers:
        headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = ", ".join(cors.expose_headers)
