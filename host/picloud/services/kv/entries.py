"""Changing kv entries: the statements that scripts and users share, with their events and audit entries.

An entry whose time to live has passed is not there. A change that finds one reports its expiry first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from picloud.db.queries import load
from picloud.services.writes import Write

_SQL = load("kv")


async def put(write: Write, key: str, value: bytes, ttl_seconds: int | None) -> None:
    """Write an entry.

    Args:
        write: to the entry's collection.
        key: the key.
        value: MessagePack.
        ttl_seconds: seconds after which the entry expires; None for never.
    """
    if write.observed:
        await _change(write, key, lambda _: value, ttl_seconds, _SQL.kv_set)
    else:
        await write.connection.execute(_SQL.kv_set, write.app_id, write.collection, key, value, ttl_seconds)


async def change(
    write: Write, key: str, make: Callable[[bytes | None], bytes | None], ttl_seconds: int | None = None
) -> bool:
    """Write an entry that depends on its present value. Needs a transaction.

    Args:
        write: to the entry's collection.
        key: the key.
        make: returns the new value, given the present one (None: absent), or None to leave it; called again
            if another write comes first.
        ttl_seconds: seconds after which the entry expires; None keeps the time it has.

    Returns:
        Whether it was written.
    """
    return await _change(write, key, make, ttl_seconds, _SQL.kv_replace)


async def delete(write: Write, key: str) -> bool:
    """Delete an entry.

    Args:
        write: to the entry's collection.
        key: the key.

    Returns:
        Whether it was there.
    """
    row = await write.connection.fetchrow(
        _SQL.kv_delete, write.app_id, write.collection, key, write.has_listener
    )
    if row is None:
        return False
    live = bool(row["live"])
    if write.observed:
        write.emit("delete", key, old=row["value"], expired=not live)
    if write.observed and live:
        write.audit(_target(write, key), before=_audit_fields(write, key, row["size"]))
    return live


async def _change(
    write: Write,
    key: str,
    make: Callable[[bytes | None], bytes | None],
    ttl_seconds: int | None,
    over: str,
) -> bool:
    """Write an entry under a lock. Args: over: the statement for a row that is there."""
    names = (write.app_id, write.collection, key)
    while True:
        row = await write.connection.fetchrow(_SQL.kv_lock, *names)
        old = row["value"] if row and row["live"] else None
        value = make(old)
        if value is None:
            return False
        if row:
            await write.connection.execute(over, *names, value, ttl_seconds)
            break
        if await write.connection.fetchval(_SQL.kv_add, *names, value, ttl_seconds):
            break
    if write.observed:
        _report(write, key, value, old, row["value"] if row and not row["live"] else None)
    return True


def _report(write: Write, key: str, value: bytes, old: bytes | None, expired: bytes | None) -> None:
    """Report a write. Args: expired: the value that was there, if its time to live had passed."""
    if expired is not None:
        write.emit("delete", key, old=expired, expired=True)
    write.emit("insert" if old is None else "update", key, new=value, old=old)
    before = None if old is None else _audit_fields(write, key, len(old))
    write.audit(_target(write, key), before=before, after=_audit_fields(write, key, len(value)))


def _target(write: Write, key: str) -> str:
    return f"{write.collection}/{key}"


def _audit_fields(write: Write, key: str, size: int) -> dict[str, Any]:
    """What the audit log shows of an entry; the value can be a secret."""
    return {"collection": write.collection, "key": key, "size": size}
