"""`GET /admin/setup`: the page of the one-time setup link."""

from __future__ import annotations

from aiohttp import web

from picloud.core.errors import Unavailable
from picloud.http.html_page import HtmlPage
from picloud.http.standalone_endpoint import ResponseSpec, StandaloneEndpoint
from picloud.identity.setup import Setup


class SetupPage:
    """Handler of the setup page."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._form = HtmlPage("setup.html")
        self._over = HtmlPage("setup_over.html", 410)

    async def show(self, request: web.Request) -> web.Response:
        """Show the form, or a page that says that the link is not valid."""
        is_valid = await self._setup.is_valid_link(request.query.get("token", ""))
        return (self._form if is_valid else self._over).response()


ENDPOINTS = (
    StandaloneEndpoint(
        method="GET",
        path="/admin/setup",
        handler=lambda platform: SetupPage(platform.setup).show,
        tag="system",
        name="setup_page",
        summary="Open the setup page",
        query={"token": "The token of the one-time link that the server prints on first start."},
        responses={
            200: ResponseSpec("A form for the name and password of the first owner.", "text/html"),
            410: ResponseSpec("The link is not valid or was used.", "text/html"),
        },
        errors=(Unavailable,),
    ),
)
