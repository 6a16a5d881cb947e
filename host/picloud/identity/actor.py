"""Who writes, by what, from where: what the audit log says of every change."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from picloud.identity.principal import Principal


@dataclass(frozen=True, slots=True)
class Actor:
    """The author of a change.

    Attributes:
        principal: who acts, or None where nobody is logged in (a log-in, the console).
        name: their name, or what stands for one: "console", "setup", "nobody".
        address: where the request came from; empty for the console.
        request_id: of the request; empty for the console.
        action: what is done, `<noun>.<verb>`.
    """

    principal: Principal | None
    name: str
    address: str
    request_id: str
    action: str

    @classmethod
    def console(cls, action: str) -> Actor:
        """Someone at the machine itself. Args: action: what they do."""
        return cls(None, "console", "", "", action)

    @property
    def user_id(self) -> UUID | None:
        """The user, where there is one."""
        return self.principal.user_id if self.principal is not None else None

    @property
    def key_id(self) -> UUID | None:
        """The API key they act by, or None."""
        key = self.principal.key if self.principal is not None else None
        return key.id if key is not None else None
