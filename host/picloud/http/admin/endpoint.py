"""Declares an endpoint of the admin API, and handles its requests.

authenticate -> find the app -> authorise -> read -> authorise again -> one service call -> respond.
Denied and conflicting requests of known users are written to the audit log here. The services write the
entries of successful ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Self, TypeVar
from uuid import UUID

from aiohttp import hdrs, web
from multidict import MultiMapping
from pydantic import Field

from picloud.control.apps import App
from picloud.control.scripts.model import Script
from picloud.core.errors import (
    Conflict,
    Forbidden,
    NotFound,
    PicloudError,
    QuotaExceeded,
    Unauthenticated,
    UnknownContentType,
)
from picloud.core.pagination import DEFAULT_LIMIT, MAX_LIMIT, Page, PageRequest, read_cursor, unmark_cursor
from picloud.execution.platform import Platform
from picloud.http.admin.fields import MAX_DATA_VALUES, Body, Query, is_small, parse_json, parse_query
from picloud.http.admin.free_names import take_names
from picloud.http.caller import RequestToken, is_own_page, is_same_origin, is_secure, request_token
from picloud.http.edge.middleware import REQUEST_ID
from picloud.http.edge.peer import peer
from picloud.http.edge.request_body import read_body
from picloud.http.edge.responses import SECURITY_HEADERS, json_response
from picloud.identity.actor import Actor
from picloud.identity.capabilities import authorise
from picloud.identity.principal import Principal

PREFIX = "/api/v1/admin"
MAX_BODY = 256 * 1024
MAX_SOURCE_BODY = 8 * 1024 * 1024
"""Enough for the largest script in any JSON encoding."""
MAX_DATA_BODY = 6 * 1024 * 1024 + 64 * 1024
"""Enough for the largest value or document in any JSON encoding."""
MAX_PUBLIC_BODY = 16 * 1024

BodyT = TypeVar("BodyT")
QueryT = TypeVar("QueryT")
Shown = TypeVar("Shown")

_SAFE = frozenset({"GET"})
_GROWING = frozenset({"script", "vars", "document", "kv", "file"})
"""Nouns whose updates store new data."""
_JSON = frozenset({"application/json", "application/merge-patch+json"})
"""Content types that a form of another origin cannot send without a preflight request."""


class NoBody(Body):
    """An endpoint without a body."""


class NoQuery(Query):
    """An endpoint without query parameters."""


class ListQuery(Query):
    """Parameters of every list.

    Attributes:
        limit: maximum number of items.
        cursor: `next_cursor` of the previous page; leave it out for the first page.
    """

    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    cursor: str | None = None

    @property
    def page(self) -> PageRequest:
        """The requested page."""
        return PageRequest(self.limit, read_cursor(self.cursor) if self.cursor is not None else None)

    def of_list(self, name: str) -> Self:
        """Check that the cursor belongs to the list `name`, and return the query with a service's cursor."""
        if self.cursor is None:
            return self
        return self.model_copy(update={"cursor": unmark_cursor(self.cursor, name)})


class ForceQuery(Query):
    """Parameters of requests that can delete or break dependent objects.

    Attributes:
        force: also delete what depends on it, or leave it broken, instead of returning 409.
    """

    force: bool = False


@dataclass(frozen=True, slots=True)
class WithHeaders(Generic[Shown]):
    """A handler's result with response headers.

    Attributes:
        shown: the body, serialized as JSON.
        headers: additional headers.
    """

    shown: Shown
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminCall(Generic[BodyT, QueryT]):
    """An authorised and validated request.

    Attributes:
        body: the body.
        query: the query parameters.
        path: the decoded path parameters by name.
        headers: of the request.
        head: whether it is a HEAD request.
        secure: whether the client uses https.
        own_page: whether a page of this origin sent it; None if no header shows it.
        actor: the caller, for the audit log.
        caller: the caller; None on a public endpoint.
        in_app: the app in the path, if any.
        of_script: the script in the path, if any.
    """

    body: BodyT
    query: QueryT
    path: Mapping[str, str]
    headers: MultiMapping[str]
    head: bool
    secure: bool
    own_page: bool | None
    actor: Actor
    caller: Principal | None
    in_app: App | None
    of_script: Script | None

    @property
    def principal(self) -> Principal:
        """The caller."""
        if self.caller is None:
            raise Unauthenticated
        return self.caller

    @property
    def app(self) -> App:
        """The app in the path."""
        assert self.in_app is not None
        return self.in_app

    @property
    def app_id(self) -> UUID:
        """The id of the app in the path, or of the app of the script in the path."""
        return self.script.app_id if self.in_app is None else self.in_app.id

    @property
    def script(self) -> Script:
        """The script in the path."""
        assert self.of_script is not None
        return self.of_script


Handle = Callable[[Platform, AdminCall[Any, Any]], Awaitable[object]]


@dataclass(slots=True)
class _Resources:
    """The app and the script in the path, if they were found."""

    app: App | None = None
    script: Script | None = None
    missing: NotFound | None = None

    @property
    def app_id(self) -> UUID | None:
        if self.app is not None:
            return self.app.id
        return self.script.app_id if self.script is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A method of a path.

    Attributes:
        method: GET, POST, PATCH, PUT or DELETE.
        path: below `PREFIX`; `{app}` and `{script}` are looked up before `handle` is called.
        handle: makes one service call. Its result is serialized as JSON, in the shape of its annotation,
            unless it is a `web.Response`.
        access: "public", "user" (any logged-in user), "session" (a session, not an API key), or the required
            capability: in the app of the path or of its script, else in the instance.
        action: for writes, the name in the audit log: `<noun>.<verb>`.
        status: of success; 204 has no body.
        body: model of the body.
        max_body: maximum bytes of the body.
        query: model of the query parameters.
        headers: request headers to document.
        errors: errors of the service call, in addition to those of all such endpoints.
        summary: one line for the API reference.
    """

    method: Literal["GET", "POST", "PATCH", "PUT", "DELETE"]
    path: str
    handle: Handle
    access: str
    action: str = ""
    status: int = 200
    body: type[Body] = NoBody
    max_body: int = MAX_BODY
    query: type[Query] = NoQuery
    headers: tuple[str, ...] = ()
    errors: tuple[type[PicloudError], ...] = field(default=())
    summary: str

    @property
    def adds(self) -> bool:
        """Whether it stores new data. All else, such as a deletion or a login, works on a full disk."""
        noun, _, verb = self.action.partition(".")
        return verb in ("create", "restore") or (verb == "update" and noun in _GROWING)

    async def handle_request(self, platform: Platform, request: web.Request) -> web.StreamResponse:
        """Handle a request; errors are raised."""
        sent = request_token(request)
        caller = await self._authenticate(platform, sent)
        actor = self._actor(request, caller)
        resources = _Resources()
        try:
            self._require_same_origin(request, sent)
            await self._find(platform, request.match_info, resources)
            self._authorise(caller, resources)
            path, query, body = await self._read(platform, request)
            if self.body is not NoBody:
                # While the body arrived, a key may have been revoked or a member removed.
                caller = await self._authenticate(platform, sent)
                self._authorise(caller, resources)
                actor = self._actor(request, caller)
            if self.adds:
                platform.space.require()
            call = AdminCall(
                body=body,
                query=query,
                path=path,
                headers=request.headers,
                head=request.method == hdrs.METH_HEAD,
                secure=is_secure(request),
                own_page=is_own_page(request),
                actor=actor,
                caller=caller,
                in_app=resources.app,
                of_script=resources.script,
            )
            result = await self.handle(platform, call)
        except (Forbidden, Conflict, QuotaExceeded) as error:
            if self.action and caller is not None:
                target = request.path.removeprefix(PREFIX)
                await platform.audit.denied(actor, error.code, resources.app_id, target)
            raise
        return await self.respond(platform, request, call, result)

    async def respond(
        self, platform: Platform, request: web.Request, call: AdminCall[Any, Any], result: Any
    ) -> web.StreamResponse:
        """Convert the handler's result to a response."""
        if isinstance(result, web.Response):
            return result
        headers: Mapping[str, str] = {}
        if isinstance(result, WithHeaders):
            result, headers = result.shown, result.headers
        if isinstance(result, Page):
            result = result.of_list(self.path)
        if self.status == 204:
            return web.Response(status=204, headers={**SECURITY_HEADERS, **headers})
        return json_response(result, self.status, headers)

    async def _authenticate(self, platform: Platform, sent: RequestToken | None) -> Principal | None:
        if self.access == "public":
            return None
        caller = await platform.principals.of_token(sent.token) if sent is not None else None
        if caller is None:
            raise Unauthenticated
        return caller

    def _require_same_origin(self, request: web.Request, sent: RequestToken | None) -> None:
        if self.access == "public" or sent is None or not sent.by_cookie or self.method in _SAFE:
            return
        if not is_same_origin(request):
            raise Forbidden("a session cookie works only from pages of the same origin")

    def _actor(self, request: web.Request, caller: Principal | None) -> Actor:
        name = caller.username if caller is not None else "nobody"
        return Actor(caller, name, peer(request).address, request[REQUEST_ID], self.action)

    async def _find(self, platform: Platform, path: Mapping[str, str], resources: _Resources) -> None:
        """Look up the app and the script in the path."""
        try:
            if "app" in path:
                resources.app = await platform.apps.get(path["app"])
            if "script" in path:
                resources.script = await platform.scripts.get(path["script"])
        except NotFound as missing:
            resources.missing = missing

    def _authorise(self, caller: Principal | None, resources: _Resources) -> None:
        """Check the capability first, then raise NotFound if something in the path is missing.

        Without access, an app that exists and one that does not look the same.
        """
        if self.access == "session" and (caller is None or caller.session_id is None):
            raise Forbidden("requires a session; log in instead of using an API key")
        if self.access not in ("public", "user", "session"):
            authorise(caller, self.access, resources.app_id)
        if resources.missing is not None:
            raise resources.missing

    async def _read(self, platform: Platform, request: web.Request) -> tuple[Mapping[str, str], Query, Body]:
        path, given = take_names(request.match_info, request.query)
        query = parse_query(self.query, given)
        if isinstance(query, ListQuery):
            query = query.of_list(self.path)
        if self.body is NoBody:
            return path, query, NoBody()
        cap = MAX_PUBLIC_BODY if self.access == "public" else self.max_body
        if hdrs.CONTENT_TYPE in request.headers and request.content_type not in _JSON:
            raise UnknownContentType
        raw = await read_body(request, cap, platform.body_seconds)
        if self.max_body != MAX_DATA_BODY or is_small(raw):
            return path, query, parse_json(self.body, raw)
        # Data can have so many values that checking them takes a while: other requests go on meanwhile.
        return path, query, await asyncio.to_thread(parse_json, self.body, raw, MAX_DATA_VALUES)
