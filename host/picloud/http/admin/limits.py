"""The limits of this instance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from picloud.http.admin.endpoint import Call, Endpoint
from picloud.http.services import Services
from picloud.services.page import Page


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of executions.

    Attributes:
        name: as a script's `sandbox` names it.
        default: what a script has that asks for nothing else.
        ceiling: the most a script may ask for.
        unit: of both.
        enforced_by: the part that holds it.
        env: the variable that moves the ceiling, or None where nothing does.
    """

    name: str
    default: int
    ceiling: int
    unit: str
    enforced_by: str
    env: str | None


async def list_(services: Services, call: Call[Any, Any]) -> Page[Limit]:
    """List every limit with its value."""
    return Page([Limit(**row) for row in services.ceilings.table()], None)


ENDPOINTS = (
    Endpoint(
        method="GET", path="/limits", handle=list_, access="user", summary="List every limit with its values"
    ),
)
