"""The execution log."""

from __future__ import annotations

from typing import Any

from picloud.http.admin.endpoint import Call, Endpoint, ListQuery
from picloud.http.services import Services
from picloud.services.executions import Execution
from picloud.services.page import Page


class LogQuery(ListQuery):
    """Parameters of the log."""

    outcome: str | None = None


async def of_script(services: Services, call: Call[Any, LogQuery]) -> Page[Execution]:
    """List a script's executions."""
    script = call.script
    return await services.executions.list(script.app_id, call.query.page, script.id, call.query.outcome)


async def of_app(services: Services, call: Call[Any, LogQuery]) -> Page[Execution]:
    """List an app's executions."""
    return await services.executions.list(call.app.id, call.query.page, outcome=call.query.outcome)


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
        query=LogQuery,
        summary="List an app's executions, newest first",
    ),
)
