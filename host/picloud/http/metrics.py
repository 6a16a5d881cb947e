"""`GET /metrics`: the node's counters and gauges, for Prometheus.

Clients on this machine may read them, and those with the token of `PICLOUD_METRICS_TOKEN`. A request that
a proxy passed on comes from wherever the proxy says, and from elsewhere when the proxy is not trusted.
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
    """Answers it."""

    def __init__(self, metrics: Metrics, token: str | None) -> None:
        """Make it.

        Args:
            metrics: the node's.
            token: opens them to other machines; None for to nobody there.
        """
        self._metrics, self._token = metrics, token

    async def show(self, request: web.Request) -> web.Response:
        """Show every series.

        Args:
            request: from this machine, or with the token.

        Returns:
            Prometheus' text format.

        Raises:
            Forbidden: it is from elsewhere, and has no token or another one.
        """
        if not self._has_token(request) and not _is_from_here(request):
            raise Forbidden("metrics are open to this machine, and to the token of PICLOUD_METRICS_TOKEN")
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
        summary="Counters and gauges of this node, for Prometheus",
        about="For clients on this machine, and for those with the token of `PICLOUD_METRICS_TOKEN`.",
        answers={200: ResponseSpec("Prometheus' text format.", "text/plain")},
        errors=(Forbidden,),
    ),
)
