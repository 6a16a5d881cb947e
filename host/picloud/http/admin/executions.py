"""The execution log."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any
from uuid import UUID

from picloud.control.execution_feed import Followed
from picloud.control.executions import Execution, require_outcome, visible
from picloud.core.pagination import Page
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint, ListQuery
from picloud.http.admin.fields import Query
from picloud.http.admin.stream_endpoint import StreamEndpoint
from picloud.http.edge.event_stream import LAST_EVENT_ID, StreamEvent


class LogQuery(ListQuery):
    """Filters of a script's log.

    Attributes:
        outcome: only executions with this outcome: `ok` or an error code.
    """

    outcome: str | None = None


class AppLogQuery(LogQuery):
    """Filters of an app's log.

    Attributes:
        script_id: only executions of this script.
    """

    script_id: UUID | None = None


class FollowQuery(Query):
    """Filters of a script's stream.

    Attributes:
        outcome: only executions with this outcome: `ok` or an error code.
    """

    outcome: str | None = None


class AppFollowQuery(FollowQuery):
    """Filters of an app's stream.

    Attributes:
        script_id: only executions of this script.
    """

    script_id: UUID | None = None


async def of_script(platform: Platform, call: AdminCall[Any, LogQuery]) -> Page[Execution]:
    """List a script's executions."""
    script, query = call.script, call.query
    return _seen(call, await platform.executions.list(script.app_id, query.page, script.id, query.outcome))


async def of_app(platform: Platform, call: AdminCall[Any, AppLogQuery]) -> Page[Execution]:
    """List an app's executions."""
    query = call.query
    return _seen(
        call, await platform.executions.list(call.app.id, query.page, query.script_id, query.outcome)
    )


async def get(platform: Platform, call: AdminCall[Any, Any]) -> Execution:
    """Return an execution."""
    return visible(await platform.executions.get(call.app.id, call.path["execution"]), call.principal)


def _seen(call: AdminCall[Any, Any], page: Page[Execution]) -> Page[Execution]:
    return replace(page, items=[visible(execution, call.principal) for execution in page.items])


async def follow_script(
    platform: Platform, call: AdminCall[Any, FollowQuery]
) -> AsyncGenerator[StreamEvent[Execution], None]:
    """Follow a script's executions."""
    return await _follow(platform, call, Followed(call.app_id, call.script.id, call.query.outcome))


async def follow_app(
    platform: Platform, call: AdminCall[Any, AppFollowQuery]
) -> AsyncGenerator[StreamEvent[Execution], None]:
    """Follow an app's executions."""
    return await _follow(platform, call, Followed(call.app_id, call.query.script_id, call.query.outcome))


async def _follow(
    platform: Platform, call: AdminCall[Any, Any], followed: Followed
) -> AsyncGenerator[StreamEvent[Execution], None]:
    require_outcome(followed.outcome)
    feed = platform.execution_feed
    position = await feed.start(followed.app_id, call.headers.get(LAST_EVENT_ID))

    async def events() -> AsyncGenerator[StreamEvent[Execution], None]:
        async with aclosing(feed.follow(followed, position)) as steps:
            async for step in steps:
                yield StreamEvent(str(step.position), step.execution)

    return events()


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/scripts/{script}/logs",
        handle=of_script,
        access="log.read",
        query=LogQuery,
        summary="List the executions of a script, newest first",
    ),
    Endpoint(
        method="GET",
        path="/apps/{app}/executions",
        handle=of_app,
        access="log.read",
        query=AppLogQuery,
        summary="List the executions of an app, newest first",
    ),
    StreamEndpoint(
        method="GET",
        path="/scripts/{script}/logs:follow",
        handle=follow_script,
        access="log.read",
        query=FollowQuery,
        headers=(LAST_EVENT_ID,),
        visible=visible,
        summary="Follow the executions of a script, in the order they are recorded",
    ),
    StreamEndpoint(
        method="GET",
        path="/apps/{app}/executions:follow",
        handle=follow_app,
        access="log.read",
        query=AppFollowQuery,
        headers=(LAST_EVENT_ID,),
        visible=visible,
        summary="Follow the executions of an app, in the order they are recorded",
    ),
    Endpoint(
        method="GET",
        path="/apps/{app}/executions/{execution}",
        handle=get,
        access="log.read",
        summary="Get an execution",
    ),
)
