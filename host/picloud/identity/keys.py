"""API keys, for programs. A key has its user's permissions, limited by its scopes and app."""

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
"""API keys of one user; the default of the setting."""

_SQL = load("keys")
_APPS = load("apps")


@dataclass(frozen=True, slots=True)
class Key:
    """An API key, without its token.

    Attributes:
        id: the key.
        user_id: its user.
        name: display name.
        prefix: the characters after `pic_` that identify the key.
        scopes: some of `capabilities.SCOPES`. The user's role and a scope must both allow a call.
        app_id: the only app it can access, or None for all.
        expires_at: when it expires, or None.
        created_at: when it was created.
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
    """The fields of a new key.

    Attributes:
        name: display name.
        scopes: at least one of `capabilities.SCOPES`.
        app_id: the only app it can access, or None for all.
        expires_at: when it expires, or None.
    """

    name: str
    scopes: Sequence[str]
    app_id: UUID | None = None
    expires_at: datetime | None = None


class Keys:
    """API keys of users. A key can manage only keys within its own grant."""

    def __init__(self, database: Database, changes: ChangeNotifier, max_keys: int = MAX_API_KEYS) -> None:
        """Args: database: the pool. changes: makes writes known. max_keys: keys of one user."""
        self._database = database
        self._changes = changes
        self._max_keys = max_keys

    async def create(self, new: NewKey, caller: Principal, actor: Actor) -> tuple[Key, str]:
        """Create a key for the caller.

        Args:
            new: its fields.
            caller: the user of the key.
            actor: the caller, for the audit log.

        Returns:
            The key, and its token, which is not stored.

        Raises:
            Invalid: a field is not valid.
            Forbidden: the caller cannot read the app, or uses a key with fewer rights.
            NotFound: the app does not exist.
            Conflict: the caller has the maximum number of keys.
        """
        check_name(new.name)
        scopes = _checked_scopes(new)
        if new.expires_at is not None and new.expires_at <= datetime.now(UTC):
            raise Invalid("must be in the future", field="expires_at")
        grant = KeyGrant(uuid7(), frozenset(scopes), new.app_id, new.expires_at)
        _require_within(caller, grant)
        if new.app_id is not None:
            await self._require_app(new.app_id, caller)
        secret = new_key()
        prefix = secret.removeprefix(KEY_PREFIX)[:KEY_PREFIX_LENGTH]
        try:
            async with self._database.transaction() as connection:
                await self._require_room(connection, caller.user_id)
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
                    raise Forbidden("the user is inactive, or the session or key in use has ended")
                key = Key(**row)
                await audit.write(
                    connection, actor, app_id=key.app_id, target=key.id, after=_audit_fields(key)
                )
        except ForeignKeyViolationError:
            raise NotFound("app", new.app_id) from None
        return key, secret

    async def list(self, user_id: UUID, page: PageRequest, caller: Principal) -> Page[Key]:
        """List a user's keys, oldest first, including expired ones; for a key only those within its grant.

        Args:
            user_id: the user.

        Raises:
            Forbidden: the keys are another user's, and the caller cannot manage users.
        """
        if user_id != caller.user_id:
            authorise(caller, "instance.manage_users")
        own = caller.key
        within = (None, None, None) if own is None else (sorted(own.scopes), own.app_id, own.expires_at)
        rows = await self._database.fetch(_SQL.keys_list, user_id, page.after, page.limit + 1, *within)
        return Page.of(rows, page.limit, lambda row: Key(**row))

    async def delete(self, key_id: UUID, caller: Principal, actor: Actor) -> None:
        """Revoke a key of the caller or, if they manage users, of another user.

        Args:
            key_id: the key.
            caller: who revokes it.
            actor: the caller, for the audit log.

        Raises:
            NotFound: the key does not exist, or the caller cannot see it.
            Forbidden: it is a key of an owner, or it has more rights than the key in use.
        """
        async with self._changes.transaction("sessions") as connection:
            row = await connection.fetchrow(_SQL.key_held, key_id)
            if row is None:
                raise NotFound("key", key_id)
            fields: dict[str, Any] = dict(row)
            role: Role = fields.pop("role")
            key = Key(**fields)
            _require_access(key, role, caller)
            _require_within(caller, KeyGrant(key.id, frozenset(key.scopes), key.app_id, key.expires_at))
            await connection.execute(_SQL.key_delete, key.id)
            await audit.write(connection, actor, app_id=key.app_id, target=key.id, before=_audit_fields(key))

    async def _require_room(self, connection: Connection, user_id: UUID) -> None:
        await connection.execute(_SQL.keys_hold, user_id)
        if await connection.fetchval(_SQL.keys_count, user_id) >= self._max_keys:
            raise Conflict(
                f"you have {self._max_keys} API keys, including expired ones; revoke one first",
                limit=self._max_keys,
            )

    async def _require_app(self, app_id: UUID, caller: Principal) -> None:
        """Require that the user can read the app, ignoring the key in use."""
        exists = await self._database.fetchrow(_APPS.app_by_id, app_id) is not None
        authorise(replace(caller, key=None), "app.read", app_id if exists else None)
        if not exists:
            raise NotFound("app", app_id)


def _checked_scopes(new: NewKey) -> list[str]:
    for scope in new.scopes:
        if scope not in SCOPES:
            raise Invalid(f"unknown scope {scope!r}", field="scopes", known=list(SCOPES))
    if not new.scopes:
        raise Invalid("at least one scope is required", field="scopes", known=list(SCOPES))
    if new.app_id is not None and not INSTANCE_SCOPES.isdisjoint(new.scopes):
        raise Invalid("a key for one app cannot have an instance scope", field="scopes")
    return [scope for scope in SCOPES if scope in new.scopes]


def _require_access(key: Key, role: Role, caller: Principal) -> None:
    if key.user_id == caller.user_id:
        return
    if not may(caller, "instance.manage_users"):
        raise NotFound("key", key.id)
    if role == "owner" and caller.role != "owner":
        raise Forbidden("requires the role owner to revoke a key of an owner")


def _require_within(caller: Principal, grant: KeyGrant) -> None:
    """Require that a grant is within that of the key in use: scopes, app and expiry."""
    own = caller.key
    if own is None:
        return
    if not (
        grant.scopes <= own.scopes
        and (own.app_id is None or own.app_id == grant.app_id)
        and (own.expires_at is None or (grant.expires_at is not None and grant.expires_at <= own.expires_at))
    ):
        raise Forbidden("a key can manage only keys within its own scopes, app and expiry")


def _audit_fields(key: Key) -> dict[str, Any]:
    return {
        "user_id": str(key.user_id),
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "app_id": key.app_id and str(key.app_id),
        "expires_at": key.expires_at and key.expires_at.isoformat(),
    }
