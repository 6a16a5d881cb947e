"""Storage usage and quotas of an app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint
from picloud.services.quotas import StoreUsage


@dataclass(frozen=True, slots=True)
class Usage:
    """The storage usage of an app.

    Attributes:
        items: one entry per store.
    """

    items: list[StoreUsage]


async def get(platform: Platform, call: AdminCall[Any, Any]) -> Usage:
    """Return the storage usage of an app."""
    return Usage(await platform.quotas.usage(call.app.id))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/apps/{app}/usage",
        handle=get,
        access="app.read",
        summary="Get the storage usage of an app in kv, documents, files and script versions, and its quotas",
    ),
)
