"""`/healthz`, `/readyz` and `/version`: for load balancers and operators, without a login."""

from __future__ import annotations

from aiohttp import web

from picloud.control.health import Health, Versions
from picloud.core.errors import NotReady
from picloud.http.edge.responses import SECURITY_HEADERS, json_response
from picloud.http.standalone_endpoint import ResponseSpec, StandaloneEndpoint


class HealthPages:
    """Handlers of the health endpoints."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def healthz(self, request: web.Request) -> web.Response:
        """Report that the process runs."""
        return web.Response(text="ok", headers=SECURITY_HEADERS)

    async def readyz(self, request: web.Request) -> web.Response:
        """Check database, migrations and guest; 503 lists the problems."""
        problems = await self._health.problems()
        if problems:
            raise NotReady(problems=problems)
        return web.Response(text="ready", headers=SECURITY_HEADERS)

    async def version(self, request: web.Request) -> web.Response:
        """Return the versions of all components."""
        return json_response(self._health.versions)


ENDPOINTS = (
    StandaloneEndpoint(
        method="GET",
        path="/healthz",
        all_hosts=True,
        handler=lambda platform: HealthPages(platform.health).healthz,
        tag="system",
        name="healthz",
        summary="Check that the process runs",
        responses={200: ResponseSpec("`ok`", "text/plain")},
    ),
    StandaloneEndpoint(
        method="GET",
        path="/readyz",
        all_hosts=True,
        handler=lambda platform: HealthPages(platform.health).readyz,
        tag="system",
        name="readyz",
        summary="Check that the server is ready: database, migrations, guest",
        responses={200: ResponseSpec("`ready`", "text/plain")},
        errors=(NotReady,),
    ),
    StandaloneEndpoint(
        method="GET",
        path="/version",
        all_hosts=True,
        handler=lambda platform: HealthPages(platform.health).version,
        tag="system",
        name="version",
        summary="Get the versions of all components",
        responses={200: ResponseSpec("The versions.", "application/json", Versions)},
    ),
)
