"""`/healthz`, `/readyz` and `/version`: for load balancers and operators, no log-in."""

from __future__ import annotations

from aiohttp import web

from picloud.control.health import Health, Versions
from picloud.core.errors import NotReady
from picloud.http.edge.responses import SECURITY_HEADERS, json_response
from picloud.http.standalone_endpoint import ResponseSpec, StandaloneEndpoint


class HealthPages:
    """Answers them."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def healthz(self, request: web.Request) -> web.Response:
        """The process is up."""
        return web.Response(text="ok", headers=SECURITY_HEADERS)

    async def readyz(self, request: web.Request) -> web.Response:
        """The database is reachable, migrations are current, the guest is loaded; else 503 says why."""
        problems = await self._health.problems()
        if problems:
            raise NotReady(problems=problems)
        return web.Response(text="ready", headers=SECURITY_HEADERS)

    async def version(self, request: web.Request) -> web.Response:
        """Versions of everything that has one."""
        return json_response(self._health.versions)


ENDPOINTS = (
    StandaloneEndpoint(
        method="GET",
        path="/healthz",
        everywhere=True,
        handler=lambda platform: HealthPages(platform.health).healthz,
        tag="system",
        name="healthz",
        summary="Is the process up",
        answers={200: ResponseSpec("`ok`", "text/plain")},
    ),
    StandaloneEndpoint(
        method="GET",
        path="/readyz",
        everywhere=True,
        handler=lambda platform: HealthPages(platform.health).readyz,
        tag="system",
        name="readyz",
        summary="Can it serve: database, migrations, guest",
        answers={200: ResponseSpec("`ready`", "text/plain")},
        errors=(NotReady,),
    ),
    StandaloneEndpoint(
        method="GET",
        path="/version",
        everywhere=True,
        handler=lambda platform: HealthPages(platform.health).version,
        tag="system",
        name="version",
        summary="Versions of everything that has one",
        answers={200: ResponseSpec("The versions.", "application/json", Versions)},
    ),
)
