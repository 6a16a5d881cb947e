"""The whole of HTTP: which path goes where."""

from __future__ import annotations

import functools

from aiohttp import web

from picloud.http.admin import apps, auth, domains, executions, limits, routes, scripts, versions
from picloud.http.admin.endpoint import PREFIX
from picloud.http.execute import Execute
from picloud.http.health import HealthPages
from picloud.http.middleware import edge
from picloud.http.public import CatchAll, Public
from picloud.http.services import Services
from picloud.http.setup_page import SetupPage

ENDPOINTS = (
    *auth.ENDPOINTS,
    *apps.ENDPOINTS,
    *domains.ENDPOINTS,
    *scripts.ENDPOINTS,
    *versions.ENDPOINTS,
    *executions.ENDPOINTS,
    *routes.ENDPOINTS,
    *limits.ENDPOINTS,
)
"""The admin API."""


def build_application(services: Services) -> web.Application:
    """Put the application together.

    Run it with `handler_cancellation=True`, so that a client that goes away ends its execution.

    Args:
        services: what it stands on.

    Returns:
        An application that has not been started.
    """
    application = web.Application()
    router = application.router
    health = HealthPages(services.health)
    router.add_get("/healthz", edge(health.healthz))
    router.add_get("/readyz", edge(health.readyz))
    router.add_get("/version", edge(health.version))
    router.add_get("/admin/setup", edge(SetupPage(services.setup).show))
    router.add_post("/api/v1/execute/{script_id}", edge(Execute(services).handle))
    for endpoint in ENDPOINTS:
        handler = edge(functools.partial(endpoint.answer, services))
        if endpoint.method == "GET":
            router.add_get(PREFIX + endpoint.path, handler)
        else:
            router.add_route(endpoint.method, PREFIX + endpoint.path, handler)
    router.register_resource(CatchAll(edge(Public(services).handle)))
    return application
