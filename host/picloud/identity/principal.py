"""The principal: the authenticated caller of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal, TypeAlias
from uuid import UUID

Role: TypeAlias = Literal["owner", "admin", "member"]
AppRole: TypeAlias = Literal["viewer", "editor", "app_admin"]

NO_MEMBERSHIPS: Mapping[UUID, AppRole] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class KeyGrant:
    """The rights of an API key.

    Attributes:
        id: the key.
        scopes: some of `capabilities.SCOPES`.
        app_id: the only app it can access, or None for all.
        expires_at: when it expires, or None.
    """

    id: UUID
    scopes: frozenset[str]
    app_id: UUID | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """An active user, in a session or by an API key. An anonymous caller is None.

    Attributes:
        user_id: the user.
        username: name of the user.
        role: role in the instance.
        memberships: role in each app, for a user with the role member.
        key: the API key in use, or None in a session.
        session_id: the session in use, or None by a key.
    """

    user_id: UUID
    username: str
    role: Role
    memberships: Mapping[UUID, AppRole] = field(default_factory=lambda: NO_MEMBERSHIPS)
    key: KeyGrant | None = None
    session_id: UUID | None = None

    @property
    def kind(self) -> Literal["user", "api_key"]:
        """How the caller authenticated: "user" for a session, "api_key" for a key."""
        return "user" if self.key is None else "api_key"
