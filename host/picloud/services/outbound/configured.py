"""Creates the outbound service from the configuration."""

from __future__ import annotations

from collections.abc import Collection

from picloud.config import Settings
from picloud.core.aiohttp_private import check_aiohttp
from picloud.services.outbound.addresses import Addresses
from picloud.services.outbound.apps import OutboundLimits
from picloud.services.outbound.client import Outbound
from picloud.services.outbound.resolver import Resolver
from picloud.services.outbound.secret_headers import SecretHeaders
from picloud.services.outbound.targets import Targets


def configured(settings: Settings, own_ports: Collection[int] = ()) -> Outbound:
    """Create the service, in the event loop that uses it. The caller must call `close`.

    Args:
        settings: the configuration.
        own_ports: ports on which this instance listens.

    Raises:
        AiohttpMismatch: the installed aiohttp is not the supported version.
    """
    check_aiohttp()
    return Outbound(
        Addresses(settings.http_deny, settings.http_allow_private, own_ports),
        Targets(frozenset(port for ports in settings.http_deny_ports for port in ports)),
        Resolver(settings.http_dns),
        OutboundLimits(
            settings.http_calls,
            settings.http_app_calls,
            settings.http_app_mb,
            settings.http_app_mb_per_minute,
        ),
        SecretHeaders(settings.redact_names),
    )
