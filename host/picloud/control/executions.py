"""The execution log of an app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record

from picloud.core.errors import Invalid, NotFound
from picloud.core.ids import parse_id
from picloud.core.pagination import Page, PageRequest
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.identity.capabilities import may
from picloud.identity.principal import Principal
from picloud.sandbox.limits import MIB
from picloud.sandbox.outcome import OK, STATUS
from picloud.services.quotas import NO_LIMIT, Amount, StoreQuota

OUTCOMES = (OK, *STATUS)

QUOTA = StoreQuota("executions", lambda settings: Amount(NO_LIMIT, settings.quota_log_mb * MIB))
"""The quota of the execution log."""

_SQL = load("executions")


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution: its cause, result and cost.

    Attributes:
        execution_id: the execution.
        app_id: its app.
        script_id: its script.
        version: the script's version that ran.
        ingress: how it was started: "route", "execute" or "cli" by a request, "event", or "call" by a script.
        request_id: of the request that started it, or None.
        request: summary of the request without credentials, or None.
        event: {"source", "op", "id", "attempt", "occurred_at", "trigger_id"} of the event that started it, or
            None.
        outcome: "ok" or the error code.
        status: HTTP status of the response, or None.
        response: summary of the response, or None.
        error: {"message", "line", "column", "module", "thrown"}, or None; "thrown" is the value that
            the script threw, or None if it is a string.
        cache: "cold", "cached" or "none".
        fuel: fuel used.
        operations: Rhai operations, or None when unknown.
        peak_memory_bytes: largest size of the guest memory.
        wall_ms: time from admission to the result, in milliseconds.
        host_call_ms: part of it spent in host calls.
        host_calls: calls by name.
        logs: [{"level", "message", "data", "at"}]; "dropped" is the number of lines missing before a line.
        logs_dropped: log lines dropped by the limits.
        outbound: its outbound calls, as `outbound_decisions.Decision.facts`.
        outbound_dropped: outbound calls that were not recorded.
        root_execution_id: the first execution of the chain.
        parent_execution_id: the execution that caused it, or None.
        depth: number of events and calls before it in the chain; 0 for a request.
        omitted: why only figures were recorded: "private" if the script called `log::private()`, "rate" if
            the log of the app grew too fast; or None.
        started_at: when it started.
    """

    execution_id: UUID
    app_id: UUID
    script_id: UUID
    version: int
    ingress: str
    request_id: str | None
    request: dict[str, Any] | None
    event: dict[str, Any] | None
    outcome: str
    status: int | None
    response: dict[str, Any] | None
    error: dict[str, Any] | None
    cache: str
    fuel: int
    operations: int | None
    peak_memory_bytes: int
    wall_ms: float
    host_call_ms: float
    host_calls: dict[str, int]
    logs: list[dict[str, Any]]
    logs_dropped: int
    outbound: list[dict[str, Any]]
    outbound_dropped: int
    root_execution_id: UUID
    parent_execution_id: UUID | None
    depth: int
    omitted: str | None
    started_at: datetime


def visible(execution: Execution, principal: Principal) -> Execution:
    """Return an execution as a principal may see it.

    Without `log.read_bodies`, a request has only method, path and size, and a response only its size.

    Args:
        principal: has `log.read` in the app.
    """
    if may(principal, "log.read_bodies", execution.app_id):
        return execution
    hidden: dict[str, Any] = {"headers": {}, "body": None}
    request, response = execution.request, execution.response
    return replace(
        execution,
        request=request and {**request, **hidden, "query": {}},
        response=response and {**response, **hidden},
    )


class Executions:
    """The executions of apps."""

    def __init__(self, database: Database, all_written: Callable[[], Awaitable[bool]]) -> None:
        """Create an `Executions`.

        Args:
            all_written: waits until the records so far are written.
        """
        self._database, self._all_written = database, all_written

    async def list(
        self, app_id: UUID, page: PageRequest, script_id: UUID | None = None, outcome: str | None = None
    ) -> Page[Execution]:
        """List executions, newest first.

        Args:
            script_id: only executions of this script.
            outcome: only with this outcome, one of `OUTCOMES`.

        Raises:
            Invalid: the outcome is unknown.
        """
        require_outcome(outcome)
        await self._all_written()
        async with self._database.transaction() as connection:
            await connection.execute(_SQL.executions_plan)
            rows = await connection.fetch(
                _SQL.executions_of_app, app_id, script_id, outcome, page.after, page.limit + 1
            )
        return Page.of(rows, page.limit, make_execution)

    async def get(self, app_id: UUID, execution_id: str) -> Execution:
        """Find an execution.

        Raises:
            NotFound: the app has no such recorded execution.
        """
        parsed = parse_id(execution_id)
        row = None
        if parsed is not None:
            await self._all_written()
            row = await self._database.fetchrow(_SQL.execution_find, app_id, parsed)
        if row is None:
            raise NotFound("execution", execution_id)
        return make_execution(row)


def require_outcome(outcome: str | None) -> None:
    """Check a filter by outcome.

    Args:
        outcome: any string; None for no filter.

    Raises:
        Invalid: it is not one of `OUTCOMES`.
    """
    if outcome is not None and outcome not in OUTCOMES:
        raise Invalid(f"unknown outcome {outcome!r}", field="outcome", known=list(OUTCOMES))


def make_execution(row: Record) -> Execution:
    """Return the execution of a row. Args: row: its columns; `position` is ignored."""
    fields = dict(row)
    fields.pop("position", None)
    return Execution(fields.pop("id"), **fields)
