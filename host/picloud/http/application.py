"""The HTTP application: maps every path to its handler."""

from __future__ import annotations

import functools
import re

from aiohttp import web
from aiohttp.typedefs import Handler

from picloud.execution.platform import Platform
from picloud.http import health, metrics, setup_page
from picloud.http.admin import (
    apps,
    audit,
    auth,
    docs,
    domains,
    executions,
    files,
    keys,
    kv,
    limits,
    members,
    modules,
    routes,
    scripts,
    settings,
    usage,
    users,
    versions,
)
from picloud.http.admin import vars as variables
from picloud.http.admin.endpoint import PREFIX
from picloud.http.admin_host import AdminHost
from picloud.http.edge.expect_continue import check_expect
from picloud.http.edge.middleware import edge
from picloud.http.open_streams import STREAMS, OpenStreams, StreamRules
from picloud.http.openapi import serve
from picloud.http.openapi.document import document
from picloud.http.public import execute
from picloud.http.public.routes import CatchAll, Public
from picloud.http.standalone_endpoint import StandaloneEndpoint

ENDPOINTS = (
    *auth.ENDPOINTS,
    *users.ENDPOINTS,
    *keys.ENDPOINTS,
    *members.ENDPOINTS,
    *audit.ENDPOINTS,
    *apps.ENDPOINTS,
    *settings.ENDPOINTS,
    *domains.ENDPOINTS,
    *scripts.ENDPOINTS,
    *versions.ENDPOINTS,
    *modules.ENDPOINTS,
    *executions.ENDPOINTS,
    *routes.ENDPOINTS,
    *variables.ENDPOINTS,
    *usage.ENDPOINTS,
    *kv.ENDPOINTS,
    *docs.ENDPOINTS,
    *files.ENDPOINTS,
    *limits.ENDPOINTS,
)
"""Endpoints of the admin API."""

STANDALONE_ENDPOINTS: tuple[StandaloneEndpoint, ...] = (
    *execute.ENDPOINTS,
    *serve.endpoints(lambda: document(ENDPOINTS, STANDALONE_ENDPOINTS)),
    *health.ENDPOINTS,
    *metrics.ENDPOINTS,
    *setup_page.ENDPOINTS,
)
"""All other endpoints of PiCloud itself."""


def build_application(platform: Platform, stream_rules: StreamRules | None = None) -> web.Application:
    """Build the application.

    Run it with `handler_cancellation=True`, so that a client that disconnects cancels its execution.

    Args:
        platform: the services that handlers use.
        stream_rules: limits of event streams; None for the defaults.

    Returns:
        An application that is not started; its shutdown ends the streams under `STREAMS`.
    """
    application = web.Application()
    streams = application[STREAMS] = OpenStreams(stream_rules or StreamRules(), platform.metrics)

    async def end_streams(_: web.Application) -> None:
        streams.close()

    application.on_shutdown.append(end_streams)
    router = application.router
    own, rest, contain = _unchanged, _unchanged, _unchanged
    if platform.admin_host is not None:
        admin_host = AdminHost(platform.admin_host)
        own, rest, contain = admin_host.require, admin_host.separate, admin_host.contain
    for standalone in STANDALONE_ENDPOINTS:
        handler = standalone.handler(platform)
        handler = handler if standalone.all_hosts else own(handler)
        handler = contain(handler) if standalone.scripted else handler
        _add(router, standalone.method, standalone.path, edge(handler))
    for endpoint in ENDPOINTS:
        handler = functools.partial(endpoint.handle_request, platform)
        _add(router, endpoint.method, PREFIX + endpoint.path, edge(own(handler)))
    router.register_resource(CatchAll(edge(rest(Public(platform).handle))))
    return application


def _unchanged(handler: Handler) -> Handler:
    return handler


def _add(router: web.UrlDispatcher, method: str, path: str, handler: Handler) -> None:
    # A colon begins an action (scripts:validate), but collection names and keys may contain colons.
    path = re.sub(r"\{(collection|entry)\}", r"{\1:[^/]+}", path)
    path = re.sub(r"\{(\w+)\}", r"{\1:[^/:]+}", path)
    if method == "GET":
        router.add_get(path, handler, expect_handler=check_expect)  # and HEAD
    else:
        router.add_route(method, path, handler, expect_handler=check_expect)
