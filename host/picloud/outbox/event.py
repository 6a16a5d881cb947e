"""An event: one change of one entry, document or file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias
from uuid import UUID

from picloud.identity.principal import Principal

Source: TypeAlias = Literal["kv", "docs", "files"]
Operation: TypeAlias = Literal["insert", "create", "update", "delete"]
"""kv: insert, update, delete. docs and files: create, update, delete."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of an event, for the record; a handler does not run as this principal.

    Attributes:
        principal: the user, or the caller of the script; None for an anonymous caller.
        execution_id: the execution that wrote, or None for a user or a background job.
    """

    principal: Principal | None = None
    execution_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A change, with the values before and after it.

    A value is MessagePack for kv, the JSON of the data for docs, and the JSON of the file's entry (its
    metadata, never its bytes) for files.

    Attributes:
        source: the store that changed.
        op: what happened.
        collection: the collection.
        key: the key of an entry, or the id of a document or file.
        new: the value after the change, or None for a delete.
        old: the value before the change, or None for an insert or create.
        expired: whether a kv entry was deleted because its time to live had passed.
        origin: what caused the change.
    """

    app_id: UUID
    source: Source
    op: Operation
    collection: str
    key: str
    new: bytes | str | None
    old: bytes | str | None
    expired: bool
    origin: Origin
