"""Who acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """A user, in person or by a key; nobody is None.

    Attributes:
        user_id: the user.
        username: their name.
        role: instance role: "owner", "admin" or "member".
        kind: "user" for a session, "api_key" for a key.
    """

    user_id: UUID
    username: str
    role: str
    kind: Literal["user", "api_key"] = "user"
