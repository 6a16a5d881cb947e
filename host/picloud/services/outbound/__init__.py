"""http: the outbound calls of scripts, and the rules for their targets.

A call passes `client` -> `targets` (its URL) and `headers` -> `apps` (the limits of the app) -> `connector`
(looks up the host, checks every address with `addresses`, connects) -> `framing` and `response_body` (read
the response within limits) -> `requests` (follows redirects, again from `targets`). `outbound_decisions`
records the result.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack

from picloud.config import Settings
from picloud.core.interface import HostFunction
from picloud.services.outbound.client import Outbound, host_functions
from picloud.services.outbound.configured import configured
from picloud.services.service import Local, Service, no_admin


def _open(settings: Settings, own_ports: Collection[int], closing: AsyncExitStack) -> Outbound:
    outbound = configured(settings, own_ports)
    closing.push_async_callback(outbound.close)
    return outbound


def _local(given: Local) -> Mapping[str, HostFunction]:
    if given.outbound is None:
        return {}
    return host_functions(_open(given.outbound, (), given.closing))


SERVICE: Service[Outbound, None] = Service(
    name="http",
    make=lambda given: _open(given.settings, given.own_ports, given.closing),
    admin=no_admin,
    host_functions=host_functions,
    local=_local,
    capabilities=("http.request",),
)
