"""Who acts."""

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
    """What an API key lets its user do.

    Attributes:
        id: the key.
        scopes: some of `capabilities.SCOPES`.
        app_id: the only app it is for, or None for all.
        expires_at: when it ends, or None.
    """

    id: UUID
    scopes: frozenset[str]
    app_id: UUID | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """An active user, in person or by a key; nobody is None.

    Attributes:
        user_id: the user.
        username: their name.
        role: their role in the instance.
        memberships: of a member, their role in each app they belong to.
        key: the API key they act by, or None in person.
        session_id: the session they act in, or None by a key.
    """

    user_id: UUID
    username: str
    role: Role
    memberships: Mapping[UUID, AppRole] = field(default_factory=lambda: NO_MEMBERSHIPS)
    key: KeyGrant | None = None
    session_id: UUID | None = None

    @property
    def kind(self) -> Literal["user", "api_key"]:
        """How they act: in person or by a key."""
        return "user" if self.key is None else "api_key"
