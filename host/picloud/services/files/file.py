"""The row of a file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from picloud.core.errors import ServiceError
from picloud.services.files.store import Blob


@dataclass(frozen=True, slots=True)
class File:
    """A file without its bytes.

    Attributes:
        app_id: its app.
        collection: its collection.
        id: the file.
        blob: id of its bytes in the store.
        name: display name without control characters.
        content_type: a media type.
        size: bytes of the file.
        sha256: SHA-256 of the bytes, as 32 bytes.
        metadata: JSON of an object from the app, unchanged.
        created_at: when it was created.
        updated_at: last change.
        entry: the JSON that scripts see.
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
        """The blob with its bytes."""
        return Blob(self.app_id, self.blob)

    @property
    def audit_fields(self) -> dict[str, Any]:
        """The fields of its audit entries, without metadata, which can be secret."""
        return {
            "collection": self.collection,
            "name": self.name,
            "size": self.size,
            "sha256": self.sha256.hex(),
        }


class Corrupted(ServiceError):
    """The bytes of a file do not match its checksum."""

    def __init__(self) -> None:
        super().__init__("corrupted")
