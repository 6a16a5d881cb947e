"""Executes a script for a request: request -> Invocation -> Outcome -> response."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Literal, TypeAlias
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import CIMultiDict
from uuid_utils.compat import uuid7

from picloud.core.errors import BadRequest, PicloudError, Unavailable
from picloud.execution.cause import HttpCause, ScriptRequest
from picloud.execution.delivery import Delivered, ResponseDelivery
from picloud.execution.invocation import Invocation, ScriptVersion
from picloud.execution.platform import Platform
from picloud.execution.record_row import logged_json
from picloud.http.edge.middleware import EXECUTION_ID_HEADER, REQUEST_ID
from picloud.http.edge.peer import is_local
from picloud.http.edge.responses import BODILESS, error_response
from picloud.http.public.file_part import FileResponse
from picloud.http.public.file_response import FileDelivery, send_file
from picloud.identity.capabilities import may
from picloud.identity.principal import Principal
from picloud.identity.token_search import holds_token
from picloud.identity.tokens import SESSION_COOKIE, SESSION_COOKIES
from picloud.sandbox.limits import FIXED
from picloud.sandbox.outcome import STATUS, Outcome, Response, ScriptError
from picloud.services.files import SERVICE as FILES

MAX_QUERY_FIELDS = 1000
MAX_BODY = FIXED["max_request_body"]
EMPTY: dict[str, str] = {}  # shared, never modified

Audience: TypeAlias = Literal["members", "public", "visitors"]
"""Members and callers on this machine; anonymous callers of an app that shows its errors; others."""
_ABOUT_THE_REQUEST = frozenset({"request_invalid", "overloaded"})
_ABOUT_THE_SCRIPT = frozenset({"script_error", "script_invalid", "response_invalid"})

OUTCOME_MESSAGES = {
    "script_invalid": "the script does not parse",
    "response_invalid": "the script did not return a valid response",
    "request_invalid": "the body does not match its content type",
    "script_error": "the script failed",
    "unavailable": Unavailable().message,
    "overloaded": "all execution slots are in use; try again in a second",
    "timeout": "the script exceeded its deadline",
    "operation_budget": "the script exceeded its operation budget",
    "fuel_budget": "the script exceeded its fuel budget",
    "memory_limit": "the script exceeded its memory limit",
    "host_call_budget": "the script exceeded its host call budget",
    "internal": "internal error",
}


async def invoke(
    platform: Platform,
    request: web.Request,
    script: ScriptVersion,
    ingress: Literal["route", "execute"],
    path: str,
    body: bytes,
    params: Mapping[str, str] = EMPTY,
    rest: str = "",
    principal: Principal | None = None,
) -> web.Response:
    """Execute a script for a request.

    Args:
        platform: provides the executor.
        request: the request.
        script: the version to execute.
        ingress: "route" or "execute".
        path: the decoded path, as the script sees it.
        body: the request body, at most `MAX_BODY` bytes.
        params: the parameters of the route's pattern.
        rest: the path after a prefix route.
        principal: the caller; look it up after the body was read, so that revoked access counts.

    Returns:
        The script's response or an error response; with the execution's id.

    Raises:
        BadRequest: the query is invalid.
    """
    headers = script_headers(request)
    query = request.raw_path.partition("?")[2]
    request_id = request[REQUEST_ID]
    script_request = ScriptRequest(
        method=request.method,
        path=path,
        headers=headers,
        query=script_query(query) if query else EMPTY,
        params=params,
        rest=rest,
        body=body,
        content_type=headers.get("content-type"),
    )
    invocation = Invocation(uuid7(), script, HttpCause(ingress, request_id, script_request), principal)
    delivery = ResponseDelivery()
    try:
        outcome = await platform.executor.execute(invocation, delivery)
        returned = outcome.response
        if returned is None:
            audience = _audience(request, script, principal)
            response = error_response(_OutcomeError(outcome, audience), request_id)
        elif returned.file is not None:
            sent = FileDelivery(
                request.method, request.headers, returned.status, CIMultiDict(returned.headers)
            )
            response = await send_file(platform.services.of(FILES), invocation, returned.file, sent)
        else:
            response = _script_response(returned)
    except PicloudError as error:
        response = error_response(error, request_id)
    except BaseException as error:
        code = "cancelled" if isinstance(error, asyncio.CancelledError) else "internal"
        delivery.end(Delivered(STATUS[code], (), 0))
        raise
    if delivery.has_record_waiting:
        _report_delivery(delivery, response)
    response.headers[EXECUTION_ID_HEADER] = str(invocation.execution_id)
    return response


def _report_delivery(delivery: ResponseDelivery, response: web.Response) -> None:
    """Report the end of the delivery; a file's comes later than that of other responses."""
    status, headers = response.status, [(name.lower(), value) for name, value in response.headers.items()]
    if isinstance(response, FileResponse):
        response.part.on_end = lambda size: delivery.end(Delivered(status, headers, size))
    else:
        delivery.end(
            Delivered(status, headers, len(response.body) if isinstance(response.body, bytes) else 0)
        )


def script_headers(request: web.Request) -> dict[str, str]:
    """Return the headers that a script sees.

    Returns:
        Headers by lower-case name, repeated ones joined. Headers whose name or value contains a PiCloud token
        are left out (of cookies, only those): the script's author could use it to act as the caller.
    """
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        name = name.lower()
        if not value.isascii():
            value = _decode_value(value)
        if name in headers:
            value = headers[name] + ("; " if name == "cookie" else ", ") + value
        headers[name] = value
    cookies = headers.get("cookie")
    if cookies is not None and (SESSION_COOKIE in cookies or holds_token(cookies)):
        kept = [one for one in cookies.split(";") if not _is_session_cookie(one) and not holds_token(one)]
        headers["cookie"] = ";".join(kept).strip()
        if not kept:
            del headers["cookie"]
    # In all headers: clients put tokens in more places than PiCloud reads them from. All at once first,
    # because most requests have none.
    if holds_token("\n".join((*headers, *headers.values()))):
        return {name: value for name, value in headers.items() if not _holds_token(name, value)}
    return headers


def _holds_token(name: str, value: str) -> bool:
    return holds_token(name) or holds_token(value)


def _is_session_cookie(cookie: str) -> bool:
    return cookie.partition("=")[0].strip() in SESSION_COOKIES


def script_query(query: str) -> dict[str, str]:
    """Return the query parameters that a script sees.

    Args:
        query: the raw query, without the question mark.

    Returns:
        Decoded values by name; the last value of a repeated name. Invalid UTF-8 becomes U+FFFD. Fields whose
        name or value contains a PiCloud token are left out: PiCloud does not read tokens from the query, but
        users put them there.

    Raises:
        BadRequest: the query has more than `MAX_QUERY_FIELDS` fields.
    """
    try:
        fields = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        raise BadRequest(f"the query has more than {MAX_QUERY_FIELDS} fields") from None
    return {name: value for name, value in fields if not _holds_token(name, value)}


def _audience(request: web.Request, script: ScriptVersion, principal: Principal | None) -> Audience:
    """Return who gets the response, as far as error messages are concerned."""
    if (principal is not None and may(principal, "app.read", script.app_id)) or is_local(request):
        return "members"
    return "public" if script.public_errors else "visitors"


def _script_response(returned: Response) -> web.Response:
    """Convert the response of a script, which the sandbox has checked."""
    return web.Response(
        body=None if returned.status in BODILESS else returned.body,
        status=returned.status,
        headers=CIMultiDict(returned.headers),
    )


class _OutcomeError(PicloudError):
    """The execution ended without a response."""

    def __init__(self, outcome: Outcome, audience: Audience) -> None:
        error, code = outcome.error, outcome.code
        if error is None or code == "internal" or not _may_read(outcome, error, audience):
            super().__init__(OUTCOME_MESSAGES[code])
        else:
            thrown = None if error.thrown is None else logged_json(error.thrown)
            details = {"line": error.line, "column": error.column, "module": error.module, "thrown": thrown}
            super().__init__(error.message, **{name: at for name, at in details.items() if at is not None})
        self.code = code  # type: ignore[misc]  # per error, shadows the class's
        self.status = STATUS[code]  # type: ignore[misc]
        if self.status == Unavailable.status:
            self.headers = {"Retry-After": "1"}  # type: ignore[misc]


def _may_read(outcome: Outcome, error: ScriptError, audience: Audience) -> bool:
    if audience == "members" or outcome.code in _ABOUT_THE_REQUEST:
        return True
    if audience == "visitors" or outcome.code not in _ABOUT_THE_SCRIPT:
        return False
    said = error.message + (error.thrown or "")  # the value is JSON
    return not any(text in said or json.dumps(text)[1:-1] in said for text in outcome.platform_texts)


def _decode_value(value: str) -> str:
    """Decode a header value: it is UTF-8, as in responses, with U+FFFD for invalid bytes."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
