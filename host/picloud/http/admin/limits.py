"""Limits of the instance."""

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
        name: its name in the `sandbox` setting of a script.
        default: the value for scripts that do not set it.
        ceiling: the maximum that a script can set.
        unit: unit of both values.
        enforced_by: the component that enforces it.
        env: environment variable that sets the ceiling; None if it is fixed.
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
    start = (
        min(page.after.int, len(limits)) if page.after is not None else 0
    )  # limits have no id: use the position
    end = start + page.limit
    return Page(limits[start:end], write_cursor(UUID(int=end)) if end < len(limits) else None)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/limits",
        handle=list_,
        access="user",
        query=ListQuery,
        summary="List all limits and their values",
    ),
)
