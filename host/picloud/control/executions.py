"""The execution log as people read it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record

from picloud.core.errors import Invalid, NotFound
from picloud.core.ids import parse_id
from picloud.core.pagination import Page, PageRequest
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.sandbox.outcome import OK, STATUS

OUTCOMES = (OK, *STATUS)

_SQL = load("executions")


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution: what was asked, what came of it, what it cost.

    Attributes:
        execution_id: the execution.
        app_id: its app.
        script_id: its script.
        version: the script's version that ran.
        ingress: how it was started: "route", "execute" or "cli" by a request, "event", or "call" by a script.
        request_id: of the request that started it, or None.
        request: summary of that request, credentials redacted, or None.
        event: {"source", "op", "id", "attempt", "occurred_at", "trigger_id"} of the event that started it, or
            None.
        outcome: "ok" or the error code.
        status: HTTP status that was sent, or None.
        response: summary of the response, or None.
        error: {"message", "line", "column", "module"}, or None.
        cache: "cold", "cached" or "none".
        fuel: burnt.
        operations: Rhai operations, or None where the guest could not tell.
        peak_memory_bytes: largest guest memory.
        wall_ms: from permit to answer.
        host_call_ms: of these, in host calls.
        host_calls: calls by name.
        logs: [{"level", "message", "data", "at"}].
        logs_dropped: lines over the limits.
        outbound: its requests to the outside, as `outbound_decisions.Decision.facts`.
        outbound_dropped: how many more there were.
        root_execution_id: first execution of the chain.
        parent_execution_id: the one that caused it, or None.
        depth: how many events and calls are between the outside and it; 0 for a request.
        started_at: when it began.
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
    started_at: datetime


class Executions:
    """The executions of apps."""

    def __init__(self, database: Database, all_written: Callable[[], Awaitable[bool]]) -> None:
        """Create a `Executions`.

        Args:
        all_written: waits until the records made so far are there.
        """
        self._database, self._all_written = database, all_written

    async def list(
        self, app_id: UUID, page: PageRequest, script_id: UUID | None = None, outcome: str | None = None
    ) -> Page[Execution]:
        """List executions, newest first.

        Args:
            script_id: only of this script.
            outcome: only with this outcome, one of `OUTCOMES`.

        Returns:
            The page.

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

        Args:
            execution_id: from the URL.

        Returns:
            The execution.

        Raises:
            NotFound: the app has no such execution on record.
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
        outcome: any text; None for no filter.

    Raises:
        Invalid: it is not one of `OUTCOMES`.
    """
    if outcome is not None and outcome not in OUTCOMES:
        raise Invalid(f"there is no outcome {outcome!r}", field="outcome", known=list(OUTCOMES))


def make_execution(row: Record) -> Execution:
    """An execution from its row. Args: row: its columns; a column `position` is ignored."""
    fields = dict(row)
    fields.pop("position", None)
    return Execution(fields.pop("id"), **fields)
