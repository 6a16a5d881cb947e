"""Around every request: its id, and the error shape for whatever goes wrong."""

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

REQUEST_ID = web.RequestKey("request_id", str)
EXECUTION_ID_HEADER = "X-Execution-Id"

logger = logging.getLogger(__name__)

_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def edge(handler: Handler) -> Handler:
    """Wrap a handler: give the request an id, turn any exception into an answer.

    It wraps handlers itself, rather than being one of aiohttp's middlewares, which would cost the data
    plane two more calls a request.

    Args:
        handler: what answers; it finds the request's id under `REQUEST_ID`.

    Returns:
        A handler whose every response has the request's id.
    """

    async def answer(request: web.Request) -> web.StreamResponse:
        request[REQUEST_ID] = request_id = _request_id(request.headers)
        try:
            response = await handler(request)
        except PicloudError as error:
            response = error_response(error, request_id)
        except web.HTTPException as error:
            response = error_response(named(error), request_id)
        except Exception:
            path = request.rel_url.raw_path
            logger.exception("%s %s failed", request.method, path, extra={"request_id": request_id})
            response = error_response(PicloudError(), request_id)
        return _marked(response, request_id)

    return answer


def answer_error(error: PicloudError, headers: Mapping[str, str]) -> web.Response:
    """Answer a request that no wrapped handler has seen.

    Args:
        error: what is wrong with it.
        headers: of the request; none where it could not be parsed.

    Returns:
        The error shape, with the request's id.
    """
    request_id = _request_id(headers)
    response = error_response(error, request_id)
    _marked(response, request_id)
    return response


def named(error: web.HTTPException) -> PicloudError:
    """Turn what aiohttp itself refuses into one of our errors.

    Args:
        error: the refusal.

    Returns:
        The error; it says nothing that aiohttp quotes of the request.
    """
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
    if sent is not None and _SANE.fullmatch(sent):
        return sent
    return f"{random.getrandbits(96):024x}"  # names a request, guards nothing


def _marked(response: web.StreamResponse, request_id: str) -> web.StreamResponse:
    response.headers["X-Request-Id"] = request_id
    response.headers.setdefault("Server", "PiCloud")
    return response
