"""Responses of PiCloud itself: JSON, and the error object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from uuid import UUID

import orjson
from aiohttp import web

from picloud.core.errors import PicloudError

BODILESS = frozenset({204, 304})
"""Statuses whose responses never have a body (RFC 9110, 15.3.5 and 15.4.5)."""

SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def json_response(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a JSON response.

    Args:
        data: anything orjson can serialize, including dataclasses, UUIDs and datetimes.
        status: HTTP status.
        headers: additional headers.
    """
    return web.Response(
        body=json_bytes(data),
        status=status,
        content_type="application/json",
        headers={**SECURITY_HEADERS, **headers} if headers else SECURITY_HEADERS,
    )


def error_response(error: PicloudError, request_id: str) -> web.Response:
    """Return the error object that every endpoint uses.

    Returns:
        `{"error": {"code", "message", "details"?, "request_id"}}` with the error's status and headers.
    """
    body: dict[str, object] = {"code": error.code, "message": error.message}
    if error.details:
        body["details"] = error.details
    body["request_id"] = request_id
    return json_response({"error": body}, error.status, error.headers)


def json_bytes(data: object) -> bytes:
    """Serialize to JSON on one line.

    Args:
        data: anything orjson can serialize, including dataclasses, UUIDs and datetimes.
    """
    try:
        return orjson.dumps(data, default=_json_default, option=orjson.OPT_UTC_Z)
    except orjson.JSONEncodeError:
        # A message can quote input of the client that is not valid Unicode; the json module escapes it.
        return json.dumps(data, default=_json_default).encode()


def _json_default(value: object) -> str:
    if isinstance(value, UUID):  # asyncpg returns a subclass, which orjson does not serialize
        return str(value)
    raise TypeError(f"cannot serialize {type(value).__name__} to JSON")
