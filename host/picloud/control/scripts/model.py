"""A script as it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from picloud.control.record_bodies import RecordBodies
from picloud.control.scripts.draft import Access, Draft, Kind


@dataclass(frozen=True, slots=True)
class ScriptSummary:
    """A script without its source, as lists show it.

    Attributes:
        id: the script.
        app_id: its app.
        name: unique in the app.
        kind: "endpoint" handles requests, "module" is imported by other scripts.
        description: free text.
        version: increases by one with every save.
        sandbox: limit overrides by name.
        execute_access: who can execute it by its id: "open" for every caller, "members" for users
            who can read the app, "routed" for every caller while a route leads to it and else for members.
        record_bodies: which bodies of its executions are recorded: "none", "errors" or "all"; None for the
            setting of the app.
        created_at: first save.
        updated_at: last save.
    """

    id: UUID
    app_id: UUID
    name: str
    kind: Kind
    description: str
    version: int
    sandbox: dict[str, int]
    execute_access: Access
    record_bodies: RecordBodies | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Script(ScriptSummary):
    """A script.

    Attributes:
        source: Rhai.
    """

    source: str

    @property
    def draft(self) -> Draft:
        """The fields that users set."""
        return Draft(
            self.name,
            self.source,
            self.kind,
            self.description,
            self.sandbox,
            self.execute_access,
            self.record_bodies,
        )

    @property
    def audit_fields(self) -> dict[str, Any]:
        """The fields of its audit entries; the source as a hash."""
        return {
            "name": self.name,
            "kind": self.kind,
            "description": self.description,
            "version": self.version,
            "sha256": sha256(self.source.encode()).hexdigest(),
            "sandbox": self.sandbox,
            "execute_access": self.execute_access,
            "record_bodies": self.record_bodies,
        }
