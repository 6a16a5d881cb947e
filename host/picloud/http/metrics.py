"""`GET /metrics`: counters and gauges of the node, for Prometheus.

Requires a client on this machine, or the token set in `PICLOUD_METRICS_TOKEN`. A request forwarded by a
trusted proxy counts as from the client's address; one forwarded by any other proxy counts as remote.
"""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from aiohttp import hdrs, web

from picloud.core.errors import Forbidden
from picloud.core.metrics import CONTENT_TYPE, Metrics
from picloud.http.edge.peer import is_proxied, peer
from picloud.http.edge.responses import SECURITY_HEADERS
from picloud.http.standalone_endpoint import ResponseSpec, StandaloneEndpoint
from picloud.identity.tokens import bearer_token


class MetricsPage:
    """Handler of `/metrics`."""

    def __init__(self, metrics: Metrics, token: str | None) -> None:
        """Create the handler; without `token`, only clients on this machine have access."""
        self._metrics, self._token = metrics, token

    async def show(self, request: web.Request) -> web.Response:
        """Return all series in the Prometheus text format.

        Raises:
            Forbidden: the request is remote and has no valid token.
        """
        if not self._has_token(request) and not _is_from_here(request):
            raise Forbidden("metrics require a client on this machine or the token of PICLOUD_METRICS_TOKEN")
        headers = {**SECURITY_HEADERS, hdrs.CONTENT_TYPE: CONTENT_TYPE}
        return web.Response(body=self._metrics.text().encode(), headers=headers)

    def _has_token(self, request: web.Request) -> bool:
        sent = bearer_token(request.headers.get(hdrs.AUTHORIZATION))
        if self._token is None or sent is None:
            return False
        return hmac.compare_digest(sent.encode(errors="surrogateescape"), self._token.encode())


def _is_from_here(request: web.Request) -> bool:
    address = peer(request).address
    return not is_proxied(request) and bool(address) and ip_address(address).is_loopback


ENDPOINTS = (
    StandaloneEndpoint(
        method="GET",
        path="/metrics",
        handler=lambda platform: MetricsPage(platform.metrics, platform.metrics_token).show,
        tag="system",
        name="metrics",
        summary="Get the metrics of this node, for Prometheus",
        about="Requires a client on this machine, or the token set in `PICLOUD_METRICS_TOKEN`.",
        responses={200: ResponseSpec("The Prometheus text format.", "text/plain")},
        errors=(Forbidden,),
    ),
)
