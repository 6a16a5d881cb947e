"""The execution log."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from picloud.control.executions import Execution
from picloud.core.pagination import Page
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import Call, Endpoint, ListQuery


class LogQuery(ListQuery):
    """Parameters of a script's log.

    Attributes:
        outcome: only with this outcome: `ok` or an error code.
    """

    outcome: str | None = None


class AppLogQuery(LogQuery):
    """Parameters of an app's log.

    Attributes:
        script_id: only of this script.
    """

    script_id: UUID | None = None


async def of_script(platform: Platform, call: Call[Any, LogQuery]) -> Page[Execution]:
    """List a script's executions."""
    script = call.script
    return await platform.executions.list(script.app_id, call.query.page, script.id, call.query.outcome)


async def of_app(platform: Platform, call: Call[Any, AppLogQuery]) -> Page[Execution]:
    """List an app's executions."""
    query = call.query
    return await platform.executions.list(call.app.id, query.page, query.script_id, query.outcome)


async def get(platform: Platform, call: Call[Any, Any]) -> Execution:
    """Show an execution."""
    return await platform.executions.get(call.app.id, call.path["execution"])


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/scripts/{script}/logs",
        handle=of_script,
        access="log.read",
        query=LogQuery,
        summary="List a script's executions, newest first",
    ),
    Endpoint(
        method="GET",
        path="/apps/{app}/executions",
        handle=of_app,
        access="log.read",
        query=AppLogQuery,
        summary="List an app's executions, newest first",
    ),
    Endpoint(
        method="GET",
        path="/apps/{app}/executions/{execution}",
        handle=get,
        access="log.read",
        summary="Show an execution",
    ),
)
