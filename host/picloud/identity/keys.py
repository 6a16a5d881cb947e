"""API keys: what a program proves itself with. A key may what its user may, as far as its grant goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from asyncpg import ForeignKeyViolationError
from uuid_utils.compat import uuid7

from picloud.core.errors import Conflict, Forbidden, Invalid, NotFound
from picloud.core.pagination import Page, PageRequest
from picloud.core.validation import check_name
from picloud.db.changes import ChangeNotifier
from picloud.db.pool import Connection, Database
from picloud.db.queries import load
from picloud.identity import audit
from picloud.identity.actor import Actor
from picloud.identity.capabilities import INSTANCE_SCOPES, SCOPES, authorise, may
from picloud.identity.principal import KeyGrant, Principal, Role
from picloud.identity.tokens import KEY_PREFIX, KEY_PREFIX_LENGTH, new_key, token_hash

MAX_API_KEYS = 100
"""Keys of one user, unless configured otherwise."""

_SQL = load("keys")
_APPS = load("apps")


@dataclass(frozen=True, slots=True)
class Key:
    """An API key, without the key itself.

    Attributes:
        id: the key.
        user_id: whose it is.
        name: for people.
        prefix: the characters after `pic_` that its row is found by.
        scopes: some of `capabilities.SCOPES`. Those beyond the user's role grant nothing: role and scope
            must both allow a call.
        app_id: the only app it is for, or None.
        expires_at: when it ends, or None.
        created_at: when it was made.
        last_used_at: when it was last used, to the minute, or None.
    """

    id: UUID
    user_id: UUID
    name: str
    prefix: str
    scopes: list[str]
    app_id: UUID | None
    expires_at: datetime | None
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """What a key is to be.

    Attributes:
        name: for people.
        scopes: at least one of `capabilities.SCOPES`.
        app_id: the only app it is for, or None.
        expires_at: when it ends, or None.
    """

    name: str
    scopes: Sequence[str]
    app_id: UUID | None = None
    expires_at: datetime | None = None


class Keys:
    """API keys of users. What a key may do with keys stays within its own grant."""

    def __init__(self, database: Database, changes: ChangeNotifier, most: int = MAX_API_KEYS) -> None:
        """Make it. Args: database: the pool. changes: makes writes known. most: keys of one user."""
        self._database = database
        self._changes = changes
        self._most = most

    async def create(self, new: NewKey, caller: Principal, actor: Actor) -> tuple[Key, str]:
        """Make a key of the caller's own.

        Args:
            new: what it is to be.
            caller: whose it will be.
            actor: the same, for the audit log.

        Returns:
            What is kept of it, and the key itself, which is stored nowhere.

        Raises:
            Invalid: a field is not acceptable.
            Forbidden: the app is closed to the caller, or the key they act by is narrower than this one.
            NotFound: there is no such app.
            Conflict: the caller has as many keys as a user may.
        """
        check_name(new.name)
        scopes = _checked_scopes(new)
        if new.expires_at is not None and new.expires_at <= datetime.now(UTC):
            raise Invalid("the key would have expired already", field="expires_at")
        grant = KeyGrant(uuid7(), frozenset(scopes), new.app_id, new.expires_at)
        _require_within(caller, grant)
        if new.app_id is not None:
            await self._require_app(new.app_id, caller)
        secret = new_key()
        prefix = secret.removeprefix(KEY_PREFIX)[:KEY_PREFIX_LENGTH]
        try:
            async with self._database.transaction() as connection:
                await self._refuse_too_many(connection, caller.user_id)
                row = await connection.fetchrow(
                    _SQL.key_insert,
                    grant.id,
                    caller.user_id,
                    new.name,
                    prefix,
                    token_hash(secret),
                    scopes,
                    new.app_id,
                    new.expires_at,
                    caller.key and caller.key.id,
                    caller.session_id,
                )
                if row is None:
                    raise Forbidden("this user is not active, or what they act by was ended")
                key = Key(**row)
                await audit.write(connection, actor, app_id=key.app_id, target=key.id, after=_logged(key))
        except ForeignKeyViolationError:
            raise NotFound("app", new.app_id) from None
        return key, secret

    async def list(self, user_id: UUID, page: PageRequest, caller: Principal) -> Page[Key]:
        """List a user's keys, oldest first, expired ones too; to a key only those within its own grant.

        Args:
            user_id: whose.
            page: which part of the list.
            caller: who asks.

        Raises:
            Forbidden: they are another user's, and the caller does not manage users.
        """
        if user_id != caller.user_id:
            authorise(caller, "instance.manage_users")
        own = caller.key
        within = (None, None, None) if own is None else (sorted(own.scopes), own.app_id, own.expires_at)
        rows = await self._database.fetch(_SQL.keys_list, user_id, page.after, page.limit + 1, *within)
        return Page.of(rows, page.limit, lambda row: Key(**row))

    async def delete(self, key_id: UUID, caller: Principal, actor: Actor) -> None:
        """Revoke a key: one's own, or as someone who manages users that of another.

        Args:
            key_id: the key.
            caller: who revokes it.
            actor: the same, for the audit log.

        Raises:
            NotFound: there is no such key, or none that the caller may know of.
            Forbidden: it is an owner's, or beyond the key they act by.
        """
        async with self._changes.transaction("sessions") as connection:
            row = await connection.fetchrow(_SQL.key_held, key_id)
            if row is None:
                raise NotFound("key", key_id)
            fields: dict[str, Any] = dict(row)
            role: Role = fields.pop("role")
            key = Key(**fields)
            _require_theirs(key, role, caller)
            _require_within(caller, KeyGrant(key.id, frozenset(key.scopes), key.app_id, key.expires_at))
            await connection.execute(_SQL.key_delete, key.id)
            await audit.write(connection, actor, app_id=key.app_id, target=key.id, before=_logged(key))

    async def _refuse_too_many(self, connection: Connection, user_id: UUID) -> None:
        await connection.execute(_SQL.keys_hold, user_id)
        if await connection.fetchval(_SQL.keys_count, user_id) >= self._most:
            raise Conflict(
                f"you have {self._most} API keys, expired ones too, and may have no more: revoke one",
                limit=self._most,
            )

    async def _require_app(self, app_id: UUID, caller: Principal) -> None:
        """A key may be bound to an app its user may read, whatever key they act by."""
        there = await self._database.fetchrow(_APPS.app_by_id, app_id) is not None
        authorise(replace(caller, key=None), "app.read", app_id if there else None)
        if not there:
            raise NotFound("app", app_id)


def _checked_scopes(new: NewKey) -> list[str]:
    for scope in new.scopes:
        if scope not in SCOPES:
            raise Invalid(f"there is no scope {scope!r}", field="scopes", known=list(SCOPES))
    if not new.scopes:
        raise Invalid("a key without a scope could do nothing", field="scopes", known=list(SCOPES))
    if new.app_id is not None and not INSTANCE_SCOPES.isdisjoint(new.scopes):
        raise Invalid("a key for one app can have no scope of the whole instance", field="scopes")
    return [scope for scope in SCOPES if scope in new.scopes]


def _require_theirs(key: Key, role: Role, caller: Principal) -> None:
    if key.user_id == caller.user_id:
        return
    if not may(caller, "instance.manage_users"):
        raise NotFound("key", key.id)
    if role == "owner" and caller.role != "owner":
        raise Forbidden("only an owner revokes the key of an owner")


def _require_within(caller: Principal, grant: KeyGrant) -> None:
    """Who acts by a key has no more over keys than that key grants: scopes, app and time."""
    own = caller.key
    if own is None:
        return
    if not (
        grant.scopes <= own.scopes
        and (own.app_id is None or own.app_id == grant.app_id)
        and (own.expires_at is None or (grant.expires_at is not None and grant.expires_at <= own.expires_at))
    ):
        raise Forbidden("a key can manage only keys whose scopes, app and end are within its own")


def _logged(key: Key) -> dict[str, Any]:
    return {
        "user_id": str(key.user_id),
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "app_id": key.app_id and str(key.app_id),
        "expires_at": key.expires_at and key.expires_at.isoformat(),
    }
