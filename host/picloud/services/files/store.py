"""The interface of a store for the bytes of files; `folder.py` implements it.

A blob is written once under a unique name and never changed: a file that changes gets another blob. So an
open blob stays the same, and bytes are stored before a row refers to them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Blob:
    """The name of the bytes of a file, without any user input.

    Attributes:
        app_id: its app.
        id: the id of this version of the bytes.
    """

    app_id: UUID
    id: UUID


class BlobMissing(Exception):
    """The store does not have this blob."""


class StoreUnusable(Exception):
    """The store cannot be used; the message is for the operator."""


class OpenBlob(Protocol):
    """An open blob. It stays readable if it is removed."""

    @property
    def size(self) -> int:
        """Size in bytes."""

    async def read(self, offset: int, length: int) -> bytes:
        """Read bytes from an offset; fewer than `length` only at the end. Raises: OSError."""

    async def sha256(self) -> bytes:
        """Return the SHA-256 of the whole blob."""

    async def whole(self) -> tuple[bytes, bytes]:
        """Return the whole blob and its SHA-256."""

    def close(self) -> None:
        """Close it. It can be called twice."""


class BlobStore(Protocol):
    """A store of blobs. Methods raise OSError if they fail."""

    async def put(self, blob: Blob, data: bytes) -> bytes:
        """Write a blob durably. Returns: its SHA-256."""

    async def has(self, blob: Blob) -> bool:
        """Return whether a blob exists."""

    async def open(self, blob: Blob) -> OpenBlob:
        """Open a blob. Raises: BlobMissing."""

    async def remove(self, blob: Blob) -> None:
        """Remove a blob, if it exists."""

    async def remove_app(self, app_id: UUID) -> None:
        """Remove every blob of an app."""

    async def apps(self) -> Sequence[UUID]:
        """Return the apps that have or had blobs."""

    def older(self, app_id: UUID, seconds: float) -> AsyncIterator[Sequence[Blob]]:
        """Yield the blobs of an app that are older than some seconds, in batches."""

    async def remove_unfinished(self, seconds: float) -> int:
        """Remove unfinished writes older than some seconds. Returns: their number."""

    async def owner(self, name: str) -> str:
        """Return the name of the owner in the store; store `name` if there is none."""

    def close(self) -> None:
        """Close threads or connections."""
