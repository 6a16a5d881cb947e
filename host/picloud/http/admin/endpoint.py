"""An endpoint of the admin API as data, and the way every call of one takes.

authenticate -> find the app -> authorise -> parse -> one service call -> present.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from aiohttp import hdrs, web
from pydantic import Field

from picloud.errors import Unauthenticated
from picloud.http.body import read_body
from picloud.http.fields import Body, Query, parse_json, parse_query
from picloud.http.respond import SECURITY_HEADERS, json_response
from picloud.http.services import Services
from picloud.identity.capabilities import authorise
from picloud.identity.principal import Principal
from picloud.identity.tokens import bearer_token
from picloud.services.apps import App
from picloud.services.page import DEFAULT_LIMIT, MAX_LIMIT, PageRequest, read_cursor
from picloud.services.scripts import Script

PREFIX = "/api/v1/admin"
MAX_BODY = 8 * 1024 * 1024
"""Room for a script of the largest size in any JSON spelling."""
MAX_PUBLIC_BODY = 16 * 1024

BodyT = TypeVar("BodyT")
QueryT = TypeVar("QueryT")


class NoBody(Body):
    """An endpoint without a body."""


class NoQuery(Query):
    """An endpoint without parameters."""


class ListQuery(Query):
    """Parameters of every list."""

    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    cursor: str | None = None

    @property
    def page(self) -> PageRequest:
        """Which part of the list is wanted."""
        return PageRequest(self.limit, read_cursor(self.cursor) if self.cursor is not None else None)


@dataclass(frozen=True, slots=True)
class Call(Generic[BodyT, QueryT]):
    """A call that has been allowed and read.

    Attributes:
        body: the body.
        query: the parameters.
        path: decoded parts of the path by name.
        headers: of the request.
        address: the peer's address.
        token: the bearer token, or None.
        caller: who calls, or None on a public endpoint.
        in_app: the app of the path, where it names one.
        of_script: the script of the path, where it names one.
    """

    body: BodyT
    query: QueryT
    path: Mapping[str, str]
    headers: Mapping[str, str]
    address: str
    token: str | None
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
    def script(self) -> Script:
        """The script of the path."""
        assert self.of_script is not None
        return self.of_script


Handle = Callable[[Services, Call[Any, Any]], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method of one path.

    Attributes:
        method: GET, POST, PATCH, PUT or DELETE.
        path: below `PREFIX`; `{app}` and `{script}` are found before `handle` is called.
        handle: makes one service call; what it returns is shown as JSON.
        access: "public", "user" (anyone logged in), or the capability that is needed: in the app of
            the path, or that of its script, or else in the instance.
        status: of success; 204 shows nothing.
        body: model of the body.
        query: model of the parameters.
        summary: one line for the API's reference.
    """

    method: Literal["GET", "POST", "PATCH", "PUT", "DELETE"]
    path: str
    handle: Handle
    access: str
    status: int = 200
    body: type[Body] = NoBody
    query: type[Query] = NoQuery
    summary: str

    async def answer(self, services: Services, request: web.Request) -> web.Response:
        """Answer one call.

        Args:
            services: what handlers call.
            request: the request.

        Returns:
            The response; errors are raised.
        """
        token = bearer_token(request.headers.get(hdrs.AUTHORIZATION))
        caller = await self._authenticate(services, token)
        app, script = await self._find(services, request.match_info, caller)
        query = parse_query(self.query, request.query)
        body: Body = NoBody()
        if self.body is not NoBody:
            cap = MAX_PUBLIC_BODY if self.access == "public" else MAX_BODY
            body = parse_json(self.body, await read_body(request, cap, services.body_seconds))
        result = await self.handle(
            services,
            Call(
                body=body,
                query=query,
                path=request.match_info,
                headers=request.headers,
                address=request.remote or "",
                token=token,
                caller=caller,
                in_app=app,
                of_script=script,
            ),
        )
        if self.status == 204:
            return web.Response(status=204, headers=SECURITY_HEADERS)
        return json_response(result, self.status)

    async def _authenticate(self, services: Services, token: str | None) -> Principal | None:
        if self.access == "public":
            return None
        caller = await services.sessions.principal(token) if token is not None else None
        if caller is None:
            raise Unauthenticated
        return caller

    async def _find(
        self, services: Services, path: Mapping[str, str], caller: Principal | None
    ) -> tuple[App | None, Script | None]:
        app = await services.apps.get(path["app"]) if "app" in path else None
        script = await services.scripts.get(path["script"]) if "script" in path else None
        if self.access not in ("public", "user"):
            app_id: UUID | None = app.id if app is not None else script.app_id if script is not None else None
            authorise(caller, self.access, app_id)
        return app, script
