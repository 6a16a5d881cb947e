"""http: what scripts send out into the world, and what keeps them from what is not for them.

A request passes `client` (one call) -> `targets` (its URL) and `headers` -> `apps` (the app's share) ->
`connector` (looks up the host, asks `addresses` about every address, connects) -> `framing` and `answers`
(read what comes back, within bounds) -> `requests` (where it redirects, and again from `targets`).
`decisions` keeps what became of it.
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
