"""Writes kv entries for scripts and users, with events and audit entries.

An expired entry does not exist. A write that finds one emits its expiry first.
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
    write: Write,
    key: str,
    make: Callable[[bytes | None], bytes | None],
    ttl_seconds: int | None = None,
    *,
    renew: bool = True,
) -> bool:
    """Write an entry depending on its current value. Requires a transaction.

    Args:
        write: to the entry's collection.
        key: the key.
        make: returns the new value for the current one (None if absent), or None for no change; called again
            if a concurrent write was faster.
        ttl_seconds: seconds after which the entry expires; None keeps the current expiry.
        renew: whether an existing entry expires after `ttl_seconds` too, and not only a new one.

    Returns:
        Whether it was written.
    """
    return await _change(write, key, make, ttl_seconds, _SQL.kv_replace, renew=renew)


async def delete(write: Write, key: str) -> bool:
    """Delete an entry.

    Args:
        write: to the entry's collection.
        key: the key.

    Returns:
        Whether it existed.
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
    update_statement: str,
    *,
    renew: bool = True,
) -> bool:
    """Write an entry under a lock. Args: update_statement: for an existing row. renew: as for `change`."""
    names = (write.app_id, write.collection, key)
    while True:
        row = await write.connection.fetchrow(_SQL.kv_lock, *names)
        old = row["value"] if row and row["live"] else None
        value = make(old)
        if value is None:
            return False
        if row:
            new_ttl = ttl_seconds if renew or old is None else None
            await write.connection.execute(update_statement, *names, value, new_ttl)
            break
        if await write.connection.fetchval(_SQL.kv_add, *names, value, ttl_seconds):
            break
    if write.observed:
        _report(write, key, value, old, row["value"] if row and not row["live"] else None)
    return True


def _report(write: Write, key: str, value: bytes, old: bytes | None, expired: bytes | None) -> None:
    """Emit and audit a write. Args: expired: the previous value, if it had expired."""
    if expired is not None:
        write.emit("delete", key, old=expired, expired=True)
    write.emit("insert" if old is None else "update", key, new=value, old=old)
    before = None if old is None else _audit_fields(write, key, len(old))
    write.audit(_target(write, key), before=before, after=_audit_fields(write, key, len(value)))


def _target(write: Write, key: str) -> str:
    return f"{write.collection}/{key}"


def _audit_fields(write: Write, key: str, size: int) -> dict[str, Any]:
    """The fields of audit entries, without the value, which can be a secret."""
    return {"collection": write.collection, "key": key, "size": size}
