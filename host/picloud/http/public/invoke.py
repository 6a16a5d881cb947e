"""A request that a script answers: request -> Invocation -> Outcome -> response."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Literal
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import CIMultiDict
from uuid_utils.compat import uuid7

from picloud.core.errors import BadRequest, PicloudError
from picloud.execution.cause import HttpCause, ScriptRequest
from picloud.execution.delivery import Delivered, ResponseDelivery
from picloud.execution.invocation import Invocation, ScriptVersion
from picloud.execution.platform import Platform
from picloud.http.edge.middleware import EXECUTION_ID_HEADER, REQUEST_ID
from picloud.http.edge.responses import BODILESS, error_response
from picloud.http.public.file_part import FileResponse
from picloud.http.public.file_response import FileAnswer, send_file
from picloud.identity.principal import Principal
from picloud.identity.tokens import SESSION_COOKIE, SESSION_COOKIES, holds_token
from picloud.sandbox.limits import FIXED
from picloud.sandbox.outcome import STATUS, Outcome
from picloud.services.files import SERVICE as FILES

MAX_QUERY_FIELDS = 1000
MAX_BODY = FIXED["max_request_body"]
NOTHING: dict[str, str] = {}  # never written to

OUTCOME_MESSAGES = {
    "script_invalid": "the script does not parse",
    "response_invalid": "the script's answer is no valid response",
    "request_invalid": "the body is not what its content type says",
    "script_error": "the script failed",
    "overloaded": "all execution slots are in use; try again in a second",
    "timeout": "the script ran past its deadline",
    "operation_budget": "the script used up its operations",
    "fuel_budget": "the script used up its fuel",
    "memory_limit": "the script used up its memory",
    "host_call_budget": "the script used up its host calls",
    "internal": "something went wrong inside PiCloud",
}


async def invoke(
    platform: Platform,
    request: web.Request,
    script: ScriptVersion,
    ingress: Literal["route", "execute"],
    path: str,
    body: bytes,
    params: Mapping[str, str] = NOTHING,
    rest: str = "",
    principal: Principal | None = None,
) -> web.Response:
    """Execute a script for a request.

    Args:
        platform: the executor is in there.
        request: the request.
        script: what answers it.
        ingress: "route" or "execute".
        path: decoded path, as the script sees it.
        body: of the request, at most `MAX_BODY` bytes.
        params: what the route's pattern bound.
        rest: what a prefix route left over.
        principal: who calls, found when the body was there: what ended meanwhile has ended.

    Returns:
        The script's response, or the outcome in the error shape; with the execution's id.

    Raises:
        BadRequest: the query cannot be read.
    """
    headers = script_headers(request)
    query = request.raw_path.partition("?")[2]
    request_id = request[REQUEST_ID]
    asked = ScriptRequest(
        method=request.method,
        path=path,
        headers=headers,
        query=script_query(query) if query else NOTHING,
        params=params,
        rest=rest,
        body=body,
        content_type=headers.get("content-type"),
    )
    invocation = Invocation(uuid7(), script, HttpCause(ingress, request_id, asked), principal)
    delivery = ResponseDelivery()
    try:
        outcome = await platform.executor.execute(invocation, delivery)
        answer = outcome.response
        if answer is not None and answer.file is not None:
            sent = FileAnswer(request.method, request.headers, answer.status, CIMultiDict(answer.headers))
            response = await send_file(platform.services.of(FILES), invocation, answer.file, sent)
        else:
            response = present(outcome, request_id)
    except PicloudError as error:
        response = error_response(error, request_id)
    except BaseException as error:
        code = "cancelled" if isinstance(error, asyncio.CancelledError) else "internal"
        delivery.end(Delivered(STATUS[code], (), 0))
        raise
    if delivery.has_record_waiting:
        _watch(delivery, response)
    response.headers[EXECUTION_ID_HEADER] = str(invocation.execution_id)
    return response


def _watch(delivery: ResponseDelivery, response: web.Response) -> None:
    """See to it that the end of an answer is told, which that of a file comes to later."""
    status, headers = response.status, [(name.lower(), value) for name, value in response.headers.items()]
    if isinstance(response, FileResponse):
        response.part.on_end = lambda size: delivery.end(Delivered(status, headers, size))
    else:
        delivery.end(
            Delivered(status, headers, len(response.body) if isinstance(response.body, bytes) else 0)
        )


def script_headers(request: web.Request) -> dict[str, str]:
    """The headers a script sees.

    Args:
        request: the request.

    Returns:
        Lower-case names; repeated ones joined; without any that holds a credential of PiCloud's own (of
        cookies only those), which would let the script's author act as the caller.
    """
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        name = name.lower()
        if not value.isascii():
            value = _as_text(value)
        if name in headers:
            value = headers[name] + ("; " if name == "cookie" else ", ") + value
        headers[name] = value
    cookies = headers.get("cookie")
    if cookies is not None and (SESSION_COOKIE in cookies or holds_token(cookies)):
        theirs = [one for one in cookies.split(";") if not _is_ours(one) and not holds_token(one)]
        headers["cookie"] = ";".join(theirs).strip()
        if not theirs:
            del headers["cookie"]
    # Whatever the header: clients send credentials in more ways than are taken here.
    for name in [name for name, value in headers.items() if holds_token(value)]:
        del headers[name]
    return headers


def _is_ours(cookie: str) -> bool:
    return cookie.partition("=")[0].strip() in SESSION_COOKIES


def script_query(query: str) -> dict[str, str]:
    """The query a script sees.

    Args:
        query: raw, behind the question mark.

    Returns:
        Decoded names and values; the last of a repeated name; without credentials of PiCloud's own, which
        are not taken from here, but people put them everywhere.

    Raises:
        BadRequest: it is not UTF-8, or has more than `MAX_QUERY_FIELDS` fields.
    """
    try:
        query.encode()
        fields = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_FIELDS)
    except UnicodeError:
        raise BadRequest("the query is not UTF-8") from None
    except ValueError:
        raise BadRequest(f"the query has more than {MAX_QUERY_FIELDS} fields") from None
    return {name: value for name, value in fields if not holds_token(value)}


def present(outcome: Outcome, request_id: str) -> web.Response:
    """Turn an outcome into a response.

    Args:
        outcome: how the execution ended; its response has been checked by the sandbox.
        request_id: of the request.

    Returns:
        The script's response or the error shape.
    """
    answer = outcome.response
    if answer is None:
        return error_response(_OutcomeError(outcome), request_id)
    return web.Response(
        body=None if answer.status in BODILESS else answer.body,
        status=answer.status,
        headers=CIMultiDict(answer.headers),
    )


class _OutcomeError(PicloudError):
    """The execution ended without an answer."""

    def __init__(self, outcome: Outcome) -> None:
        error, code = outcome.error, outcome.code
        if error is None or code == "internal":
            super().__init__(OUTCOME_MESSAGES[code])
        else:
            position = {"line": error.line, "column": error.column, "module": error.module}
            super().__init__(error.message, **{name: at for name, at in position.items() if at is not None})
        self.code = code  # type: ignore[misc]  # per error, shadows the class's
        self.status = STATUS[code]  # type: ignore[misc]
        if code == "overloaded":
            self.headers = {"Retry-After": "1"}  # type: ignore[misc]


def _as_text(value: str) -> str:
    """A header's value whose bytes need not be UTF-8; those that are not are read as Latin-1."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value
