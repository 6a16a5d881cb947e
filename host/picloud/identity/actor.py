"""The actor of a change, as the audit log records it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from picloud.identity.principal import Principal


@dataclass(frozen=True, slots=True)
class Actor:
    """The author of a change.

    Attributes:
        principal: who acts, or None without authentication (a log-in, the console).
        name: the username, or "console", "setup" or "nobody".
        address: where the request came from; empty for the console.
        request_id: of the request; empty for the console.
        action: `<noun>.<verb>`.
    """

    principal: Principal | None
    name: str
    address: str
    request_id: str
    action: str

    @classmethod
    def console(cls, action: str) -> Actor:
        """The operator on the server itself. Args: action: `<noun>.<verb>`."""
        return cls(None, "console", "", "", action)

    @property
    def user_id(self) -> UUID | None:
        """The user's id, or None."""
        return self.principal.user_id if self.principal is not None else None

    @property
    def key_id(self) -> UUID | None:
        """The id of the API key in use, or None."""
        key = self.principal.key if self.principal is not None else None
        return key.id if key is not None else None
