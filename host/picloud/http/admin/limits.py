"""The limits of this instance."""

from __future__ import annotations

from typing import Any

from picloud.http.admin.endpoint import Call, Endpoint
from picloud.http.services import Services
from picloud.services.page import Page


async def list_(services: Services, call: Call[Any, Any]) -> Page[dict[str, object]]:
    """List every limit with its value."""
    return Page(services.ceilings.table(), None)


ENDPOINTS = (
    Endpoint(
        method="GET", path="/limits", handle=list_, access="user", summary="List every limit with its values"
    ),
)
