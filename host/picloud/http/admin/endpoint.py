"""An endpoint of the admin API as data, and the way every call of one takes.

authenticate -> find the app -> authorise -> read -> authorise again -> one service call -> present.
What is refused to someone who is known goes into the audit log; what is done, the services write there
themselves.
"""

from __future__ import annotations

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
from picloud.http.admin.fields import Body, Query, parse_json, parse_query
from picloud.http.caller import Credential, credential, is_own_page, is_same_origin, is_secure
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
"""Room for a script of the largest size in any JSON spelling."""
MAX_DATA_BODY = 6 * 1024 * 1024 + 64 * 1024
"""Room for a value or a document of the largest size in any JSON spelling."""
MAX_PUBLIC_BODY = 16 * 1024

BodyT = TypeVar("BodyT")
QueryT = TypeVar("QueryT")
Shown = TypeVar("Shown")

_SAFE = frozenset({"GET"})
_JSON = frozenset({"application/json", "application/merge-patch+json"})
"""What a form of another origin cannot send without asking first."""


class NoBody(Body):
    """An endpoint without a body."""


class NoQuery(Query):
    """An endpoint without parameters."""


class ListQuery(Query):
    """Parameters of every list.

    Attributes:
        limit: at most so many items.
        cursor: `next_cursor` of the page before; none for the first page.
    """

    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    cursor: str | None = None

    @property
    def page(self) -> PageRequest:
        """Which part of the list is wanted."""
        return PageRequest(self.limit, read_cursor(self.cursor) if self.cursor is not None else None)

    def of_list(self, name: str) -> Self:
        """The same parameters with the cursor as services know it. Args: name: of the list."""
        if self.cursor is None:
            return self
        return self.model_copy(update={"cursor": unmark_cursor(self.cursor, name)})


class ForceQuery(Query):
    """How to delete: `force` takes along what depends on it.

    Attributes:
        force: take along what depends on it, instead of 409.
    """

    force: bool = False


@dataclass(frozen=True, slots=True)
class WithHeaders(Generic[Shown]):
    """What a handler returns when its answer has headers of its own.

    Attributes:
        shown: what is shown as JSON.
        headers: the headers.
    """

    shown: Shown
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminCall(Generic[BodyT, QueryT]):
    """A call that has been allowed and read.

    Attributes:
        body: the body.
        query: the parameters.
        path: decoded parts of the path by name.
        headers: of the request.
        head: only the head of the answer is wanted.
        secure: it came over https, as far as the client is concerned.
        own_page: whether a page of this very origin made it; None when no browser says anything.
        actor: who does it, for the audit log.
        caller: who calls, or None on a public endpoint.
        in_app: the app of the path, where it names one.
        of_script: the script of the path, where it names one.
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
        """Who calls."""
        if self.caller is None:
            raise Unauthenticated
        return self.caller

    @property
    def app(self) -> App:
        """The app of the path."""
        assert self.in_app is not None
        return self.in_app

    @property
    def app_id(self) -> UUID:
        """The app of the path, or that of its script."""
        return self.script.app_id if self.in_app is None else self.in_app.id

    @property
    def script(self) -> Script:
        """The script of the path."""
        assert self.of_script is not None
        return self.of_script


Handle = Callable[[Platform, AdminCall[Any, Any]], Awaitable[object]]


@dataclass(slots=True)
class _Resources:
    """What the path names, as far as it was found."""

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
    """One method of one path.

    Attributes:
        method: GET, POST, PATCH, PUT or DELETE.
        path: below `PREFIX`; `{app}` and `{script}` are found before `handle` is called.
        handle: makes one service call; what it returns is shown as JSON, in the shape of its annotation,
            but for a `web.Response`.
        access: "public", "user" (anyone logged in), "session" (in person: no API key), or the capability
            that is needed: in the app of the path, or that of its script, or else in the instance.
        action: of everything that writes, its name in the audit log: `<noun>.<verb>`.
        status: of success; 204 shows nothing.
        body: model of the body.
        max_body: most bytes of it.
        query: model of the parameters.
        headers: names of the request's headers that callers should know of.
        errors: what the service call may raise beside what every call of this kind can.
        summary: one line for the API's reference.
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

    async def answer(self, platform: Platform, request: web.Request) -> web.StreamResponse:
        """Answer one call.

        Args:
            platform: what handlers call.
            request: the request.

        Returns:
            The response; errors are raised.
        """
        sent = credential(request)
        caller = await self._authenticate(platform, sent)
        actor = self._actor(request, caller)
        place = _Resources()
        try:
            self._refuse_other_pages(request, sent)
            await self._find(platform, request.match_info, place)
            self._admit(caller, place)
            query, body = await self._read(platform, request)
            if self.body is not NoBody:
                # A body can take its time, in which a key is revoked or a member removed.
                caller = await self._authenticate(platform, sent)
                self._admit(caller, place)
                actor = self._actor(request, caller)
            call = AdminCall(
                body=body,
                query=query,
                path=request.match_info,
                headers=request.headers,
                head=request.method == hdrs.METH_HEAD,
                secure=is_secure(request),
                own_page=is_own_page(request),
                actor=actor,
                caller=caller,
                in_app=place.app,
                of_script=place.script,
            )
            result = await self.handle(platform, call)
        except (Forbidden, Conflict, QuotaExceeded) as error:
            if self.action and caller is not None:
                target = request.path.removeprefix(PREFIX)
                await platform.audit.denied(actor, error.code, place.app_id, target)
            raise
        return await self.respond(platform, request, call, result)

    async def respond(
        self, platform: Platform, request: web.Request, call: AdminCall[Any, Any], result: Any
    ) -> web.StreamResponse:
        """Make the response from what the handler returned."""
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

    async def _authenticate(self, platform: Platform, sent: Credential | None) -> Principal | None:
        if self.access == "public":
            return None
        caller = await platform.principals.of_token(sent.token) if sent is not None else None
        if caller is None:
            raise Unauthenticated
        return caller

    def _refuse_other_pages(self, request: web.Request, sent: Credential | None) -> None:
        if self.access == "public" or sent is None or not sent.by_cookie or self.method in _SAFE:
            return
        if not is_same_origin(request):
            raise Forbidden("a session cookie may be used by pages of the same origin only")

    def _actor(self, request: web.Request, caller: Principal | None) -> Actor:
        name = caller.username if caller is not None else "nobody"
        return Actor(caller, name, peer(request).address, request[REQUEST_ID], self.action)

    async def _find(self, platform: Platform, path: Mapping[str, str], place: _Resources) -> None:
        """Find what the path names."""
        try:
            if "app" in path:
                place.app = await platform.apps.get(path["app"])
            if "script" in path:
                place.script = await platform.scripts.get(path["script"])
        except NotFound as missing:
            place.missing = missing

    def _admit(self, caller: Principal | None, place: _Resources) -> None:
        """Ask for the capability, and only then say what is missing.

        To whom an app is closed, it looks like one that does not exist.
        """
        if self.access == "session" and (caller is None or caller.session_id is None):
            raise Forbidden("this needs a session: log in, an API key will not do")
        if self.access not in ("public", "user", "session"):
            authorise(caller, self.access, place.app_id)
        if place.missing is not None:
            raise place.missing

    async def _read(self, platform: Platform, request: web.Request) -> tuple[Query, Body]:
        query = parse_query(self.query, request.query)
        if isinstance(query, ListQuery):
            query = query.of_list(self.path)
        if self.body is NoBody:
            return query, NoBody()
        cap = MAX_PUBLIC_BODY if self.access == "public" else self.max_body
        if hdrs.CONTENT_TYPE in request.headers and request.content_type not in _JSON:
            raise UnknownContentType
        return query, parse_json(self.body, await read_body(request, cap, platform.body_seconds))
