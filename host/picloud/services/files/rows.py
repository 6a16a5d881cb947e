"""Writes the rows of files for scripts and users, with events and audit entries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from picloud.core.errors import ServiceError
from picloud.db.queries import load
from picloud.services.files.file import File
from picloud.services.files.store import Blob
from picloud.services.writes import Write

_SQL = load("files")


async def create(
    write: Write, blob: Blob, name: str, content_type: str, size: int, sha256: bytes, metadata: str
) -> str:
    """Create a file whose bytes are in the store.

    Args:
        write: to its collection.
        blob: its bytes.
        name: 1 to 255 bytes without control characters.
        content_type: a media type.
        sha256: SHA-256 of the bytes.
        metadata: JSON of an object.

    Returns:
        Its entry.

    Raises:
        ServiceError: PostgreSQL cannot store the metadata.
    """
    id_ = uuid7()
    with _as_script_error():
        entry: str = await write.connection.fetchval(
            _SQL.file_create,
            write.app_id,
            write.collection,
            id_,
            blob.id,
            name,
            content_type,
            size,
            sha256,
            metadata,
        )
    if write.observed:
        write.emit("create", str(id_), new=entry)
    return entry


async def change(
    write: Write,
    id_: UUID,
    name: str | None,
    content_type: str | None,
    metadata: str | None,
    content: tuple[Blob, int, bytes] | None,
) -> tuple[str, Blob | None]:
    """Update the fields of a file that are not None. Requires a transaction if the bytes change.

    Args:
        write: to its collection.
        id_: the file.
        name: 1 to 255 bytes without control characters.
        content_type: a media type.
        metadata: JSON of an object, which replaces the current one.
        content: the new bytes, their number and their SHA-256.

    Returns:
        Its entry, and the old bytes if they were replaced.

    Raises:
        ServiceError: the file does not exist, or PostgreSQL cannot store the metadata.
    """
    names = (write.app_id, write.collection, id_)
    before = None
    if write.has_listener or content is not None:
        before = await write.connection.fetchrow(_SQL.file_lock, *names)
        if before is None:
            raise ServiceError("no such file")
    blob, size, sha256 = content or (None, None, None)
    with _as_script_error():
        entry = await write.connection.fetchval(
            _SQL.file_update, *names, name, content_type, metadata, blob and blob.id, size, sha256
        )
    if entry is None:
        raise ServiceError("no such file")
    if before is not None:
        write.emit("update", str(id_), new=entry, old=before["entry"])
        if blob is not None:
            return entry, Blob(write.app_id, before["blob"])
    return entry, None


async def delete(write: Write, id_: UUID) -> File | None:
    """Delete the row of a file; its bytes can be removed after the commit.

    Args:
        write: to its collection.
        id_: the file.

    Returns:
        The deleted file, or None if it did not exist.
    """
    row = await write.connection.fetchrow(_SQL.file_delete, write.app_id, write.collection, id_)
    if row is None:
        return None
    file = File(**row)
    if write.observed:
        write.emit("delete", str(id_), old=file.entry)
        write.audit(id_, before=file.audit_fields)
    return file


@contextmanager
def _as_script_error() -> Iterator[None]:
    """Turn the errors of a statement that stores a file's row into errors for the script."""
    try:
        yield
    except asyncpg.CheckViolationError:
        raise ServiceError("metadata must be a map") from None
    except (asyncpg.DataError, asyncpg.StatementTooComplexError):  # the latter: nested too deeply
        raise ServiceError("metadata is not JSON that can be stored") from None
