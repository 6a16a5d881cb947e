"""Writes documents for scripts and users, with events and audit entries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from picloud.core.errors import ServiceError
from picloud.core.interface import LIMITS
from picloud.db.queries import load
from picloud.services.collections import check_collection
from picloud.services.writes import Write

MAX_DATA = LIMITS.number("max_document_bytes")
"""Maximum bytes of a document as JSON."""
TOO_DEEP = f"the document is nested deeper than {LIMITS.number('max_nesting_levels') - 1} levels"
"""The error of a document that a script could not read; the envelope adds one level."""

_SQL = load("docs")


def check_data(collection: str, data: str) -> None:
    """Check the collection and the size of a document, without the database."""
    check_collection(collection)
    if (size := len(data.encode())) > MAX_DATA:
        raise ServiceError(f"a document can have at most {MAX_DATA} bytes as JSON, not {size}")


async def create(write: Write, data: str) -> tuple[UUID, str]:
    """Create a document.

    Args:
        write: to its collection.
        data: JSON of an object.

    Returns:
        Its id and its envelope.

    Raises:
        ServiceError: PostgreSQL cannot store the data.
    """
    id_ = uuid7()
    with _as_script_error():
        row = await write.connection.fetchrow(
            _SQL.doc_create, write.app_id, write.collection, id_, data, write.has_listener
        )
    assert row is not None
    if write.observed:
        write.emit("create", str(id_), new=row["data"])
        write.audit(id_, after=_audit_fields(write, row["size"]))
    return id_, row["envelope"]


async def change(write: Write, id_: UUID, data: str, *, merge: bool) -> str | None:
    """Replace or patch a document's data.

    Args:
        write: to its collection.
        id_: the document.
        data: JSON of an object: the new data, or a patch.
        merge: whether it is a JSON merge patch (RFC 7396); concurrent patches all apply.

    Returns:
        Its envelope, or None if it does not exist.

    Raises:
        ServiceError: PostgreSQL cannot store the data.
    """
    names = (write.app_id, write.collection, id_)
    before = None
    if write.observed:
        before = await write.connection.fetchrow(_SQL.doc_lock, *names, write.has_listener)
        if before is None:
            return None
    with _as_script_error():
        row = await write.connection.fetchrow(
            _SQL.doc_patch if merge else _SQL.doc_update, *names, data, write.has_listener
        )
    if row is None:
        return None
    if before is not None:
        write.emit("update", str(id_), new=row["data"], old=before["data"])
        write.audit(id_, before=_audit_fields(write, before["size"]), after=_audit_fields(write, row["size"]))
    return str(row["envelope"])


async def delete(write: Write, id_: UUID) -> bool:
    """Delete a document.

    Args:
        write: to its collection.
        id_: the document.

    Returns:
        Whether it existed.
    """
    row = await write.connection.fetchrow(
        _SQL.doc_delete, write.app_id, write.collection, id_, write.has_listener
    )
    if row is None:
        return False
    if write.observed:
        write.emit("delete", str(id_), old=row["data"])
        write.audit(id_, before=_audit_fields(write, row["size"]))
    return True


def _audit_fields(write: Write, size: int) -> dict[str, Any]:
    """The fields of audit entries, without the data, which can be secret."""
    return {"collection": write.collection, "size": size}


@contextmanager
def _as_script_error() -> Iterator[None]:
    """Turn the errors of a statement that stores a document into errors for the script."""
    try:
        yield
    except asyncpg.CheckViolationError as error:
        if error.constraint_name == "docs_data_check":
            raise ServiceError("a document must be a map") from None
        if error.constraint_name == "docs_depth_check":
            raise ServiceError(TOO_DEEP) from None
        raise ServiceError(f"a document can have at most {MAX_DATA} bytes as JSON") from None
    except asyncpg.UntranslatableCharacterError:
        raise ServiceError("a document must not contain a NUL character") from None
    except asyncpg.StatementTooComplexError:
        raise ServiceError(TOO_DEEP) from None
    except asyncpg.DataError:
        raise ServiceError("the document is not JSON that can be stored") from None
