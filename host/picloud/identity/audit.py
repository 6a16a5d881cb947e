"""The audit log: changes, and requests that were denied. The API cannot delete from it.

Each change is an entry. Callers can cause denials at will, so denials that repeat within an hour are counted
on their first entry, and a caller has at most `MAX_AUDITED_DENIALS` separate entries an hour.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from uuid_utils.compat import uuid7

from picloud.core.errors import Unavailable
from picloud.core.ids import first_id_of
from picloud.core.pagination import Page, PageRequest
from picloud.core.repeated_log import RepeatedLog
from picloud.core.text import clean
from picloud.db.pool import Connection, Database
from picloud.db.queries import load
from picloud.identity.actor import Actor
from picloud.identity.tokens import token_hash

MAX_TARGET = 512
HOUR = 3600
MAX_AUDITED_DENIALS = 100
"""Denials of one caller in an hour that have entries of their own."""

_SQL = load("audit")
_log = logging.getLogger(__name__)
_log_unwritten = RepeatedLog(_log)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """A change or a denied request.

    Attributes:
        id: the entry.
        at: when.
        user_id: the user, or None for the console and anonymous callers.
        username: the name at that time.
        key_id: the API key used, or None.
        address: the client address.
        request_id: of the request.
        action: `<noun>.<verb>`.
        outcome: "done" or "refused".
        reason: error code of a denied request, or None.
        app_id: the app, or None for the instance.
        target: id or name of the object.
        before: the relevant fields before the change, or None; never a secret.
        after: the relevant fields after the change, or None; never a secret.
        times: how often a request was denied; the other fields are those of the first.
        last_at: when it last happened.
    """

    id: UUID
    at: datetime
    user_id: UUID | None
    username: str
    key_id: UUID | None
    address: str
    request_id: str
    action: str
    outcome: Literal["done", "refused"]
    reason: str | None
    app_id: UUID | None
    target: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    times: int
    last_at: datetime


async def write(
    connection: Connection | Database,
    actor: Actor,
    *,
    app_id: UUID | None = None,
    target: object = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry for a change.

    Args:
        connection: of the transaction that makes the change, so that both are committed or neither.
        actor: who does what, from where.
        app_id: the app, or None for the instance.
        target: id or name of the object.
        before: JSON-able fields before it, without secrets.
        after: JSON-able fields after it, without secrets.
    """
    await connection.execute(_SQL.audit_insert, *_head(actor, app_id), _target(target), before, after)


async def write_denial(
    database: Database, actor: Actor, reason: str, *, app_id: UUID | None = None, target: object = None
) -> None:
    """Add an entry for a denied request, or count it on an existing entry.

    One entry counts denials with the same user, key, address, action, reason, app and target. After
    `MAX_AUDITED_DENIALS` in an hour, the address is ignored, and for a known user the target too.

    Args:
        actor: who made the request.
        reason: the error's code.
        app_id: the app, or None.
        target: id or name of the object.
    """
    hour = int(time.time()) // HOUR
    shown = _target(target)
    merged_target = None if actor.principal is not None else shown
    common = (hour, actor.user_id, actor.key_id, actor.action, reason, app_id)
    await database.execute(
        _SQL.audit_refused,
        *_head(actor, app_id),
        reason,
        shown,
        token_hash(repr((*common, shown, actor.address))),
        token_hash(repr((*common, merged_target))),
        first_id_of(hour * HOUR),
        MAX_AUDITED_DENIALS,
        merged_target,
    )


def _head(actor: Actor, app_id: UUID | None) -> tuple[object, ...]:
    """The first columns of an entry: id, app, actor and action."""
    return (
        uuid7(),
        app_id,
        actor.user_id,
        actor.name,
        actor.key_id,
        actor.address,
        actor.request_id,
        actor.action,
    )


def _target(target: object) -> str | None:
    return None if target is None else clean(str(target))[:MAX_TARGET]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """A filter of entries; None matches any.

    Attributes:
        app_id: only of this app.
        user_id: only of this user.
        action: `<noun>.<verb>`.
        outcome: "done" or "refused".
    """

    app_id: UUID | None = None
    user_id: UUID | None = None
    action: str | None = None
    outcome: Literal["done", "refused"] | None = None


class Audit:
    """The log as a whole."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, wanted: AuditFilter, page: PageRequest) -> Page[AuditEntry]:
        """List entries, newest first.

        Args:
            wanted: the filter.
        """
        rows = await self._database.fetch(
            _SQL.audit_list,
            wanted.app_id,
            wanted.user_id,
            wanted.action,
            wanted.outcome,
            page.after,
            page.limit + 1,
        )
        return Page.of(rows, page.limit, lambda row: AuditEntry(**row))

    async def denied(self, actor: Actor, reason: str, app_id: UUID | None, target: str) -> None:
        """Add an entry for a denied request; if that fails, log it and leave the response as it is.

        Args:
            actor: who made the request.
            reason: the error's code.
            app_id: the app, or None.
            target: path below the admin API's prefix.
        """
        try:
            await write_denial(self._database, actor, reason, app_id=app_id, target=target)
        except Unavailable:
            _log_unwritten("audit entry not written: %s was denied to %s", actor.action, actor.name)
