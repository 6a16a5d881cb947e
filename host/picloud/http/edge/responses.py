"""Answers of PiCloud's own: JSON, and the one shape of errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from uuid import UUID

import orjson
from aiohttp import web

from picloud.core.errors import PicloudError

BODILESS = frozenset({204, 304})
"""Statuses of answers without a body, whatever a script says (RFC 9110, 15.3.5 and 15.4.5)."""

SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def json_response(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer with JSON.

    Args:
        data: what orjson can write: dataclasses, UUIDs and datetimes too.
        status: HTTP status.
        headers: more headers.

    Returns:
        The response.
    """
    return web.Response(
        body=json_bytes(data),
        status=status,
        content_type="application/json",
        headers={**SECURITY_HEADERS, **headers} if headers else SECURITY_HEADERS,
    )


def error_response(error: PicloudError, request_id: str) -> web.Response:
    """Answer with an error in the shape that is the same everywhere.

    Args:
        error: what happened.
        request_id: of the request.

    Returns:
        `{"error": {"code", "message", "details"?, "request_id"}}` with the error's status and headers.
    """
    body: dict[str, object] = {"code": error.code, "message": error.message}
    if error.details:
        body["details"] = error.details
    body["request_id"] = request_id
    return json_response({"error": body}, error.status, error.headers)


def json_bytes(data: object) -> bytes:
    """Write JSON, on one line.

    Args:
        data: what orjson can write: dataclasses, UUIDs and datetimes too.
    """
    try:
        return orjson.dumps(data, default=_plain, option=orjson.OPT_UTC_Z)
    except orjson.JSONEncodeError:
        # What a client sent may come back in a message and need not be valid Unicode: it is escaped.
        return json.dumps(data, default=_plain).encode()


def _plain(value: object) -> str:
    if isinstance(value, UUID):  # asyncpg's are of a subclass, which orjson does not know
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
