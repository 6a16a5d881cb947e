"""The HTTP client of the commands."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from picloud import __version__
from picloud.cli.exits import (
    CONFLICT,
    DOES_NOT_PARSE,
    FAILED,
    NOT_ALLOWED,
    NOT_FOUND,
    UNREACHABLE,
    WRONG_USE,
    Failure,
)
from picloud.cli.remote.event_stream import EventReader, EventTooLong, ServerEvent

ADMIN = "/api/v1/admin"
PAGE = 200
"""Maximum page size of the API."""

_FREE_NAMES = ("collection", "entry")  # can be dots, which clients and proxies take for steps in a path
_MAX_RESPONSE = 256 * 1024 * 1024  # more than any page of a list or file
_MAX_EVENT = 16 * 1024 * 1024  # more than any execution with its bodies and log lines
_SECONDS_TO_CONNECT, _SECONDS, _SECONDS_TO_DOWNLOAD = 10, 60, 3600
_SECONDS_OF_SILENCE = 150  # of a stream: the server sends a heartbeat at least once a minute
_RETRY_SECONDS = 1.0  # until the server sends a value
_EXIT_CODES = {
    400: WRONG_USE,
    401: NOT_ALLOWED,
    403: NOT_ALLOWED,
    404: NOT_FOUND,
    409: CONFLICT,
    410: NOT_FOUND,
    412: CONFLICT,
    413: WRONG_USE,
    422: WRONG_USE,
    502: UNREACHABLE,
    503: UNREACHABLE,
    504: UNREACHABLE,
}

Json = dict[str, Any]
"""An object of the API; `--json` prints it unchanged."""


class ApiError(Failure):
    """An error returned by the server.

    Attributes:
        status: HTTP status.
        details: details of the error; may be empty.
        request_id: id of the request, or "".
    """

    def __init__(self, status: int, error: Mapping[str, Any]) -> None:
        """Create the error from the HTTP status and the `error` field of the response."""
        self.status = status
        self.error = dict(error)
        self.details: Json = error.get("details") or {}
        self.request_id = str(error.get("request_id", ""))
        code = str(error.get("code", ""))
        exit_code = DOES_NOT_PARSE if code == "script_invalid" else _EXIT_CODES.get(status, FAILED)
        super().__init__(self._line(str(error.get("message", ""))), exit_code, code)

    def _line(self, message: str) -> str:
        field, wait = self.details.get("field"), self.details.get("retry_after")
        message = message.replace("?force=true", "--force")  # the name of the option
        if isinstance(field, str) and not message.startswith(field):
            message += f" ({field})"
        if wait is not None:
            message += f" ({wait} s)"
        if self.status == 401:
            message = "not logged in, or the session has expired; run picloud login"
            if os.environ.get("PICLOUD_TOKEN"):
                message = "the key in PICLOUD_TOKEN is unknown, revoked or expired"
        if message.endswith("(role viewer in the app)"):  # the same if the app does not exist
            message += "; picloud apps list shows your apps"
        if self.status >= 500 and self.request_id:  # to find it in the server's log
            message += f" (request {self.request_id})"
        return message

    @property
    def as_json(self) -> dict[str, object]:
        """The error as the server sent it."""
        return {"error": self.error}


class Unreachable(Failure):
    """The server cannot be reached, or is not PiCloud."""

    def __init__(self, message: str) -> None:
        """Create the failure with the exit code for an unreachable server."""
        super().__init__(message, UNREACHABLE, "unreachable")


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A response with its body.

    Attributes:
        status: HTTP status.
        headers: the headers.
        body: the body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client:
    """A client of one server, with a fixed token.

    Attributes:
        url: URL of the server, without a slash at the end.
    """

    def __init__(self, url: str, token: str | None, session: aiohttp.ClientSession) -> None:
        """Use `connect` instead."""
        self.url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session = session

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        **parts: str,
    ) -> Any:
        """Call the admin API.

        Args:
            method: HTTP method.
            path: below `/api/v1/admin/`, with `{names}` for the parts.
            body: a JSON object, or None for no body.
            query: query parameters; None values are left out.
            parts: path parameters by name; encoded, or moved to the query if a path cannot have them.

        Returns:
            The JSON of the response, or None if it has no body.

        Raises:
            ApiError: the server returns an error.
            Unreachable: the server does not respond, or is not PiCloud.
        """
        headers, data = {}, None
        if body is not None:
            headers, data = {"Content-Type": "application/json"}, json.dumps(body).encode()
        address, query = _address(path, parts, query)
        answer = await self.request(method, address, data, headers, query)
        if answer.status == 204:
            return None
        shown = _json(answer.body)
        if answer.status < 300 and isinstance(shown, dict):
            return shown
        raise self.refusal(answer)

    async def download(self, path: str, **parts: str) -> bytes:
        """Get a response that is not JSON from the admin API.

        Args:
            path: as for `call`.
            parts: as for `call`.

        Raises:
            ApiError, Unreachable: as for `call`.
        """
        address, query = _address(path, parts, None)
        answer = await self.request("GET", address, query=query, seconds=_SECONDS_TO_DOWNLOAD)
        if answer.status == 200:
            return answer.body
        raise self.refusal(answer)

    def refusal(self, answer: ApiResponse) -> Failure:
        """The error of an unsuccessful response."""
        shown = _json(answer.body)
        error = shown.get("error") if isinstance(shown, dict) else None
        if answer.status >= 400 and isinstance(error, dict):
            return ApiError(answer.status, error)
        if (location := answer.headers.get("Location")) and answer.status < 400:
            return Unreachable(f"{self.url} redirects to {location}; use that address")
        return Unreachable(f"{self.url} returned {answer.status}, but is not a PiCloud server")

    async def items(
        self, path: str, query: Mapping[str, Any] | None = None, limit: int | None = None, **parts: str
    ) -> list[Json]:
        """Return the items of a list, up to `limit` or all; other parameters as for `call`."""
        items: list[Json] = []
        async for page in self.pages(path, query, limit, **parts):
            items += page
            if limit is not None and len(items) >= limit:
                break
        return items[:limit]

    async def pages(
        self, path: str, query: Mapping[str, Any] | None = None, limit: int | None = None, **parts: str
    ) -> AsyncIterator[list[Json]]:
        """Yield the pages of a list, requested one by one; parameters as for `items`."""
        size = PAGE if limit is None else max(1, min(PAGE, limit))
        cursor = None
        while True:
            page = await self.call(
                "GET", path, None, {**(query or {}), "limit": size, "cursor": cursor}, **parts
            )
            yield page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    async def request(
        self,
        method: str,
        path: str,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        seconds: float = _SECONDS,
    ) -> ApiResponse:
        """Send a request; redirects are not followed, because the token would be sent along.

        Args:
            method: HTTP method.
            path: encoded path from the server's root.
            data: the body.
            headers: additional headers.
            query: query parameters; None values are left out.
            seconds: timeout for the whole request.

        Returns:
            The response, with any status.

        Raises:
            Unreachable: there was no response.
        """
        timeout = aiohttp.ClientTimeout(total=seconds, connect=_SECONDS_TO_CONNECT)
        async with self.open(method, path, data, headers, query, timeout) as response:
            return await self.read(response)

    def events(self, path: str, query: Mapping[str, Any] | None = None, **parts: str) -> ApiEvents:
        """Return an event stream of the admin API, not yet connected; parameters as for `call`."""
        return ApiEvents(self, f"{ADMIN}/{fill(path, **parts)}", query)

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        data: bytes | None,
        headers: Mapping[str, str] | None,
        query: Mapping[str, Any] | None,
        timeout: aiohttp.ClientTimeout,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield a response with an unread body; parameters as for `request`."""
        given = {name: _text(value) for name, value in (query or {}).items() if value is not None}
        url = URL(f"{self.url}{path}" + (f"?{urlencode(given)}" if given else ""), encoded=True)
        try:
            async with self._session.request(
                method,
                url,
                data=data,
                headers={**self._headers, **(headers or {})},
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"{self.url} cannot be reached: {_reason(error)}") from error

    async def read(self, response: aiohttp.ClientResponse) -> ApiResponse:
        """Read the body of a response. Raises: Unreachable: it is too long or incomplete."""
        body = bytearray()
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > _MAX_RESPONSE:
                raise Unreachable(f"{self.url} returned more than {_MAX_RESPONSE} bytes")
        return ApiResponse(response.status, response.headers, bytes(body))


class ApiEvents:
    """An event stream that resumes after the last event when it reconnects.

    Attributes:
        retry_seconds: delay before a reconnect, as requested by the server.
    """

    def __init__(self, client: Client, path: str, query: Mapping[str, Any] | None) -> None:
        """Use `Client.events` instead."""
        self._client, self._path, self._query = client, path, query
        self._last_id = ""
        self.retry_seconds = _RETRY_SECONDS

    async def connect(self) -> AsyncGenerator[ServerEvent, None]:
        """Connect, and read until the server ends the stream.

        Yields:
            The events, including those without data, which update the position.

        Raises:
            ApiError, Unreachable: as for `Client.call`.
            Failure: an event is too long.
        """
        headers = {"Accept": "text/event-stream"}
        if self._last_id:
            headers["Last-Event-ID"] = self._last_id
        timeout = aiohttp.ClientTimeout(sock_connect=_SECONDS_TO_CONNECT, sock_read=_SECONDS_OF_SILENCE)
        reader = EventReader(_MAX_EVENT)
        client = self._client
        async with client.open("GET", self._path, None, headers, self._query, timeout) as response:
            if response.status != 200 or response.content_type != "text/event-stream":
                raise client.refusal(await client.read(response))
            try:
                async for piece in response.content.iter_any():
                    for event in reader.feed(piece):
                        self._last_id = event.id
                        if reader.retry is not None:
                            self.retry_seconds = reader.retry / 1000
                        yield event
            except EventTooLong as error:
                raise Failure(f"{client.url} sent {error}") from error


def parse_event(event: ServerEvent) -> Json:
    """Parse the data of an event. Raises: Unreachable: it is not an object, so the server is not PiCloud."""
    shown = _json((event.data or "").encode())
    if not isinstance(shown, dict):
        raise Unreachable("the data of an event is not a JSON object")
    return shown


@asynccontextmanager
async def connect(url: str, token: str | None) -> AsyncIterator[Client]:
    """Open a client.

    Args:
        url: URL of the server, without a slash at the end.
        token: token of a session or key, or None.
    """
    headers = {"User-Agent": f"picloud/{__version__}", "Accept": "application/json"}
    # No cookies, and nothing from the environment: a .netrc must not replace the token.
    async with aiohttp.ClientSession(headers=headers, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Client(url, token, session)


def fill(path: str, **parts: str) -> str:
    """Insert encoded parts into a path with `{names}`; each stays one segment, even `..` behind proxies."""
    return path.format_map({name: quote(part, safe="").replace(".", "%2E") for name, part in parts.items()})


def _address(
    path: str, parts: Mapping[str, str], query: Mapping[str, Any] | None
) -> tuple[str, Mapping[str, Any]]:
    """Return the path and the query of a request."""
    dots = {name: part for name, part in parts.items() if name in _FREE_NAMES and part in (".", "..")}
    filled = fill(path, **{**parts, **dict.fromkeys(dots, "-")})
    return f"{ADMIN}/{filled}", {**(query or {}), **dots}


def _json(body: bytes) -> Any:
    """Parse a body; None if it is not valid JSON or nested too deeply."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return "timed out"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        inner = error.os_error
        if not isinstance(inner, ssl.SSLError) and inner.errno is not None and inner.errno > 0:
            return os.strerror(inner.errno)
        return inner.strerror or str(inner)
    return str(error) or type(error).__name__
