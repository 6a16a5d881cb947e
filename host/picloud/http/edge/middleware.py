"""Wraps every handler: adds the request id and turns exceptions into the error object."""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from picloud.core.errors import (
    BadRequest,
    BodyTooLarge,
    ExpectationFailed,
    MethodNotAllowed,
    NotFound,
    PicloudError,
)
from picloud.http.edge.responses import error_response
from picloud.identity.token_search import holds_token

REQUEST_ID = web.RequestKey("request_id", str)
EXECUTION_ID_HEADER = "X-Execution-Id"

logger = logging.getLogger(__name__)

_VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def edge(handler: Handler) -> Handler:
    """Wrap a handler: set the request id and turn exceptions into error responses.

    This wraps handlers directly. An aiohttp middleware would cost two more calls per request.

    Args:
        handler: reads the request id under `REQUEST_ID`.

    Returns:
        A handler whose responses all have the header `X-Request-Id`.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        request[REQUEST_ID] = request_id = _request_id(request.headers)
        try:
            response = await handler(request)
        except PicloudError as error:
            response = error_response(error, request_id)
        except web.HTTPException as error:
            response = error_response(as_picloud_error(error), request_id)
        except Exception:
            path = "[redacted]" if holds_token(request.rel_url.raw_path) else request.rel_url.raw_path
            logger.exception("%s %s failed", request.method, path, extra={"request_id": request_id})
            response = error_response(PicloudError(), request_id)
        return _with_headers(response, request_id)

    return handle


def unrouted_error_response(error: PicloudError, headers: Mapping[str, str]) -> web.Response:
    """Return the error response for a request that reached no wrapped handler.

    Args:
        error: the error.
        headers: of the request; empty if it could not be parsed.
    """
    request_id = _request_id(headers)
    response = error_response(error, request_id)
    _with_headers(response, request_id)
    return response


def as_picloud_error(error: web.HTTPException) -> PicloudError:
    """Convert an HTTP error of aiohttp; the message quotes nothing from the request."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        return MethodNotAllowed(sorted(error.allowed_methods))
    if isinstance(error, web.HTTPNotFound):
        return NotFound("page")
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return BodyTooLarge()
    if isinstance(error, web.HTTPExpectationFailed):
        return ExpectationFailed()
    return BadRequest()


def _request_id(headers: Mapping[str, str]) -> str:
    sent = headers.get("X-Request-Id")
    if sent is not None and _VALID_REQUEST_ID.fullmatch(sent) and not holds_token(sent):
        return sent
    return f"{random.getrandbits(96):024x}"  # an identifier, not a secret


def _with_headers(response: web.StreamResponse, request_id: str) -> web.StreamResponse:
    response.headers["X-Request-Id"] = request_id
    response.headers.setdefault("Server", "PiCloud")
    return response
