"""`GET /admin/setup`: the page a one-time setup link opens."""

from __future__ import annotations

from aiohttp import web

from picloud.core.errors import Unavailable
from picloud.http.html_page import HtmlPage
from picloud.http.standalone_endpoint import ResponseSpec, StandaloneEndpoint
from picloud.identity.setup import Setup


class SetupPage:
    """Shows the page, or that there is nothing to set up."""

    def __init__(self, setup: Setup) -> None:
        """Make it; the pages are read now."""
        self._setup = setup
        self._form = HtmlPage("setup.html")
        self._over = HtmlPage("setup_over.html", 410)

    async def show(self, request: web.Request) -> web.Response:
        """Show the form while the link is good."""
        good = await self._setup.is_valid_link(request.query.get("token", ""))
        return (self._form if good else self._over).response()


ENDPOINTS = (
    StandaloneEndpoint(
        method="GET",
        path="/admin/setup",
        handler=lambda platform: SetupPage(platform.setup).show,
        tag="system",
        name="setup_page",
        summary="The page a one-time setup link opens",
        query={"token": "From the link that the server printed when it started without any user."},
        answers={
            200: ResponseSpec("A form for the name and password of the first owner.", "text/html"),
            410: ResponseSpec("The link is not valid, or not any more.", "text/html"),
        },
        errors=(Unavailable,),
    ),
)
