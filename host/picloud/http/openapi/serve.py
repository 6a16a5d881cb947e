"""`GET /api/v1/openapi.json` and `GET /api/v1/docs`, the API reference."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import hdrs, web

from picloud.http.edge.responses import SECURITY_HEADERS
from picloud.http.html_page import HtmlPage
from picloud.http.standalone_endpoint import ResponseSpec, StandaloneEndpoint


def endpoints(describe: Callable[[], dict[str, Any]]) -> tuple[StandaloneEndpoint, ...]:
    """Return the endpoints of the API reference.

    Args:
        describe: generates the OpenAPI document; called once, on the first request.
    """
    serve = _Serve(describe)
    return (
        StandaloneEndpoint(
            method="GET",
            path="/api/v1/openapi.json",
            handler=lambda _: serve.document,
            tag="system",
            name="openapi",
            summary="Get the OpenAPI document",
            headers=(hdrs.IF_NONE_MATCH,),
            responses={
                200: ResponseSpec("An OpenAPI 3.1 document.", "application/json", dict[str, Any]),
                304: ResponseSpec("Not changed."),
            },
        ),
        StandaloneEndpoint(
            method="GET",
            path="/api/v1/docs",
            handler=lambda _: serve.page,
            tag="system",
            name="docs",
            summary="Open the API reference",
            responses={200: ResponseSpec("The page.", "text/html")},
        ),
    )


class _Serve:
    """Handlers of the API reference."""

    def __init__(self, describe: Callable[[], dict[str, Any]]) -> None:
        self._describe = describe

    async def document(self, request: web.Request) -> web.Response:
        body, tag = self._bytes
        headers = {**SECURITY_HEADERS, hdrs.CACHE_CONTROL: "no-cache", hdrs.ETAG: f'"{tag}"'}
        known = request.if_none_match or ()
        if any(one.value in (tag, "*") for one in known):
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, content_type="application/json", headers=headers)

    async def page(self, request: web.Request) -> web.Response:
        return self._page.response()

    @functools.cached_property
    def _bytes(self) -> tuple[bytes, str]:
        """The document and its entity tag."""
        body = orjson.dumps(self._describe())
        return body, hashlib.sha256(body).hexdigest()[:32]

    @functools.cached_property
    def _page(self) -> HtmlPage:
        return HtmlPage("docs.html")
