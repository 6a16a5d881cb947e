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
from picloud.sandbox.limits import Limits
from picloud.services.collections import check_collection
from picloud.services.docs import negative_zero
from picloud.services.writes import Write

MAX_DATA = LIMITS.number("max_document_bytes")
"""Maximum bytes of a document as JSON."""
TOO_DEEP = f"the document is nested deeper than {LIMITS.number('max_nesting_levels') - 1} levels"
"""The error of a document that a script could not read; the envelope adds one level."""

_AROUND = (120, 1, 7)
"""Bytes of strings, elements and entries that a page of one document counts around its data, as in the guest
(`sdk-bindings/src/docs.rs`)."""

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
        write.emit("create", str(id_), new=_restored(row["data"]))
        write.audit(id_, after=_audit_fields(write, row["size"]))
    return id_, row["envelope"]


async def change(
    write: Write, id_: UUID, data: str, *, merge: bool, limits: Limits | None = None
) -> str | None:
    """Replace or patch a document's data.

    Args:
        write: to its collection.
        id_: the document.
        data: JSON of an object: the new data, or a patch.
        merge: whether it is a JSON merge patch (RFC 7396); concurrent patches all apply.
        limits: of the script that merges, which must be able to read the result; None for a user.

    Returns:
        Its envelope, or None if it does not exist.

    Raises:
        ServiceError: PostgreSQL cannot store the data, or the result exceeds the limits.
    """
    names = (write.app_id, write.collection, id_)
    before = None
    if write.observed:
        before = await write.connection.fetchrow(_SQL.doc_lock, *names, write.has_listener)
        if before is None:
            return None
    with _as_script_error(limits):
        if merge:
            row = await write.connection.fetchrow(
                _SQL.doc_patch, *names, data, write.has_listener, *_readable(limits)
            )
        else:
            row = await write.connection.fetchrow(_SQL.doc_update, *names, data, write.has_listener)
    if row is None:
        return None
    if before is not None:
        write.emit("update", str(id_), new=_restored(row["data"]), old=_restored(before["data"]))
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
        write.emit("delete", str(id_), old=_restored(row["data"]))
        write.audit(id_, before=_audit_fields(write, row["size"]))
    return True


def _audit_fields(write: Write, size: int) -> dict[str, Any]:
    """The fields of audit entries, without the data, which can be secret."""
    return {"collection": write.collection, "size": size}


def _restored(data: str | None) -> str | None:
    return None if data is None else negative_zero.restore(data)


def _readable(limits: Limits | None) -> tuple[int | None, ...]:
    """The parameters of `doc_patch`: bytes of JSON that always fit, and the limits; None for no limits."""
    if limits is None:
        return (None,) * 4
    strings, elements, entries = (
        most - around
        for most, around in zip(
            (limits.max_string_size, limits.max_array_size, limits.max_map_size), _AROUND, strict=True
        )
    )
    # An element has at least two bytes (`0,`), an entry five (`"":0,`).
    return min(strings, 2 * elements, 5 * entries), strings, elements, entries


_LIMITS_BY_CONSTRAINT = {
    "docs_max_string_size": ("max_string_size", "bytes"),
    "docs_max_array_size": ("max_array_size", "elements"),
    "docs_max_map_size": ("max_map_size", "entries"),
}


@contextmanager
def _as_script_error(limits: Limits | None = None) -> Iterator[None]:
    """Turn the errors of a statement that stores a document into errors for the script."""
    try:
        yield
    except asyncpg.CheckViolationError as error:
        if error.constraint_name == "docs_data_check":
            raise ServiceError("a document must be a map") from None
        if error.constraint_name == "docs_depth_check":
            raise ServiceError(TOO_DEEP) from None
        if (exceeded := _LIMITS_BY_CONSTRAINT.get(error.constraint_name or "")) is not None:
            name, unit = exceeded
            raise ServiceError(
                "the document would be too large to be read back: with what is returned around it, it exceeds"
                f" {getattr(limits, name)} {unit} ({name}); remove fields first, or store it in parts"
            ) from None
        raise ServiceError(f"a document can have at most {MAX_DATA} bytes as JSON") from None
    except asyncpg.UntranslatableCharacterError:
        raise ServiceError("a document must not contain a NUL character") from None
    except asyncpg.StatementTooComplexError:
        raise ServiceError(TOO_DEEP) from None
    except asyncpg.DataError:
        raise ServiceError("the document is not JSON that can be stored") from None
