"""What an app keeps, and what it may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint
from picloud.services.quotas import StoreUsage


@dataclass(frozen=True, slots=True)
class Usage:
    """What an app keeps.

    Attributes:
        items: one for each store.
    """

    items: list[StoreUsage]


async def get(platform: Platform, call: AdminCall[Any, Any]) -> Usage:
    """Show what an app keeps."""
    return Usage(await platform.quotas.usage(call.app.id))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/apps/{app}/usage",
        handle=get,
        access="app.read",
        summary="Show what an app keeps in kv, documents, files and versions of scripts, and its quotas",
    ),
)
