"""A file, as far as the database knows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from picloud.core.errors import ServiceError
from picloud.services.files.store import Blob


@dataclass(frozen=True, slots=True)
class File:
    """What is known of a file.

    Attributes:
        app_id: whose.
        collection: where.
        id: the file.
        blob: id of its bytes.
        name: for people; any text but control characters.
        content_type: a media type.
        sha256: of the bytes, 32 of them.
        metadata: JSON of an object of the app's own, as it was written.
        created_at: when it was made.
        updated_at: last change.
        entry: what scripts are told of it, JSON.
    """

    app_id: UUID
    collection: str
    id: UUID
    blob: UUID
    name: str
    content_type: str
    size: int
    sha256: bytes
    metadata: str
    created_at: datetime
    updated_at: datetime
    entry: str

    @property
    def bytes_at(self) -> Blob:
        """Where its bytes are."""
        return Blob(self.app_id, self.blob)

    @property
    def audit_fields(self) -> dict[str, Any]:
        """What the audit log shows of it; its metadata can be secret."""
        return {
            "collection": self.collection,
            "name": self.name,
            "size": self.size,
            "sha256": self.sha256.hex(),
        }


class Corrupted(ServiceError):
    """The bytes of a file are not those that were stored."""

    def __init__(self) -> None:
        super().__init__("corrupted")
