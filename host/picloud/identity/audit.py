"""The audit log: who changed what, who was refused what. Nothing in the API deletes from it.

A change is an entry. A refusal costs its caller nothing, so one that repeats within an hour is counted on its
first entry, and a caller has no more than `MAX_AUDITED_REFUSALS` entries an hour of their own.
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
from picloud.core.text import clean
from picloud.db.pool import Connection, Database
from picloud.db.queries import load
from picloud.identity.actor import Actor
from picloud.identity.tokens import token_hash

MAX_TARGET = 512
HOUR = 3600
MAX_AUDITED_REFUSALS = 100
"""Of one caller in an hour that have entries of their own."""

_SQL = load("audit")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One change, or one refusal.

    Attributes:
        id: the entry.
        at: when.
        user_id: who, or None for the console and for nobody.
        username: their name then.
        key_id: the API key they acted by, or None.
        address: where from.
        request_id: of the request.
        action: `<noun>.<verb>`.
        outcome: "done" or "refused".
        reason: code of the refusal, or None.
        app_id: the app it happened in, or None for the instance.
        target: id or name of what it was about.
        before: the fields that matter before it, or None; never a secret.
        after: and after it, or None.
        times: how often; more than once only for refusals, where all else is of the first.
        last_at: when it happened last.
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
        connection: of the transaction that makes the change, so that there is never one without the other.
        actor: who does what.
        app_id: the app it happens in, or None for the instance.
        target: what it is about, as text.
        before: JSON-able fields before it, without secrets.
        after: JSON-able fields after it, without secrets.
    """
    await connection.execute(_SQL.audit_insert, *_head(actor, app_id), _target(target), before, after)


async def write_refusal(
    database: Database, actor: Actor, reason: str, *, app_id: UUID | None = None, target: object = None
) -> None:
    """Add an entry for a refusal, or count it on the one that is there.

    Refusals are told apart by who, by which key, from where, what, why, in which app and about what; beyond
    `MAX_AUDITED_REFUSALS` in an hour no longer by address, and those of someone who is known not by target.

    Args:
        database: the pool.
        actor: who tried what.
        reason: the error's code.
        app_id: the app they tried it in, or None.
        target: what it was about, as text.
    """
    hour = int(time.time()) // HOUR
    told = _target(target)
    beyond = None if actor.principal is not None else told
    common = (hour, actor.user_id, actor.key_id, actor.action, reason, app_id)
    await database.execute(
        _SQL.audit_refused,
        *_head(actor, app_id),
        reason,
        told,
        token_hash(repr((*common, told, actor.address))),
        token_hash(repr((*common, beyond))),
        first_id_of(hour * HOUR),
        MAX_AUDITED_REFUSALS,
        beyond,
    )


def _head(actor: Actor, app_id: UUID | None) -> tuple[object, ...]:
    """The first columns of an entry: its id, where, who and what."""
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
    """Which entries are wanted; None is any.

    Attributes:
        app_id: of this app.
        user_id: of what this user did or was refused.
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
        """Make it."""
        self._database = database

    async def list(self, wanted: AuditFilter, page: PageRequest) -> Page[AuditEntry]:
        """List entries, newest first.

        Args:
            wanted: which.
            page: which part of the list.
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

    async def refused(self, actor: Actor, reason: str, app_id: UUID | None, target: str) -> None:
        """Add a refusal; what cannot be written is told to the operator and changes no answer.

        Args:
            actor: who tried what.
            reason: the error's code.
            app_id: the app they tried it in, or None.
            target: path below the admin API's prefix.
        """
        try:
            await write_refusal(self._database, actor, reason, app_id=app_id, target=target)
        except Unavailable:
            _log.warning("a refusal of %s to %s could not be written", actor.action, actor.name)
