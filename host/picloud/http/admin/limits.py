"""The limits of this instance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from picloud.core.pagination import Page, write_cursor
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint, ListQuery


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


async def list_(platform: Platform, call: AdminCall[Any, ListQuery]) -> Page[Limit]:
    """List the limits with their values."""
    limits = [Limit(**row) for row in platform.ceilings.table()]
    page = call.query.page
    start = min(page.after.int, len(limits)) if page.after is not None else 0  # there is no id: the place
    end = start + page.limit
    return Page(limits[start:end], write_cursor(UUID(int=end)) if end < len(limits) else None)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/limits",
        handle=list_,
        access="user",
        query=ListQuery,
        summary="List every limit with its values",
    ),
)
