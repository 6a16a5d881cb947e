"""Where the bytes of files are, as the rest sees it: a folder today (`folder.py`), any other store tomorrow.

A blob is written once, under a name of its own, and never changed: a file that changes gets another blob.
So whoever has one open reads what was stored, and bytes are there before a row names them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Blob:
    """The bytes of a file, by name; nothing of a user's is part of it.

    Attributes:
        app_id: whose.
        id: of this version of the bytes.
    """

    app_id: UUID
    id: UUID


class BlobMissing(Exception):
    """The store has no such blob."""


class StoreUnusable(Exception):
    """The store cannot be used; the text says why, for the operator."""


class OpenBlob(Protocol):
    """A blob that stays readable until it is closed, also when it is removed in the meantime."""

    @property
    def size(self) -> int:
        """How many bytes it has."""

    async def read(self, offset: int, length: int) -> bytes:
        """Bytes from an offset; fewer than `length` only at the end. OSError where they cannot be read."""

    async def sha256(self) -> bytes:
        """The SHA-256 of all of it."""

    async def whole(self) -> tuple[bytes, bytes]:
        """All of it, and the SHA-256 of that."""

    def close(self) -> None:
        """Let go; harmless when done before."""


class BlobStore(Protocol):
    """A store of blobs. What it cannot do raises OSError."""

    async def put(self, blob: Blob, data: bytes) -> bytes:
        """Write a blob; when this returns it survives a loss of power. Returns: its SHA-256."""

    async def has(self, blob: Blob) -> bool:
        """Whether there is such a blob."""

    async def open(self, blob: Blob) -> OpenBlob:
        """Open a blob. Raises BlobMissing where there is none."""

    async def remove(self, blob: Blob) -> None:
        """Remove a blob; harmless where there is none."""

    async def remove_app(self, app_id: UUID) -> None:
        """Remove every blob of an app."""

    async def apps(self) -> Sequence[UUID]:
        """The apps that have blobs, or had."""

    def older(self, app_id: UUID, seconds: float) -> AsyncIterator[Sequence[Blob]]:
        """The blobs of an app that were written at least so long ago, in parts that fit into memory."""

    async def remove_unfinished(self, seconds: float) -> int:
        """Remove what writes left behind that began at least so long ago. Returns: how many."""

    async def owner(self, name: str) -> str:
        """Who left their name in the store; `name` is left where nobody has."""

    def close(self) -> None:
        """Let go of threads or connections."""
