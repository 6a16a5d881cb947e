"""files: what scripts, and HTTP for them, can do with files of an app."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

from picloud.core.app_limiter import AppLimiter
from picloud.core.errors import ServiceError
from picloud.core.ids import parse_id
from picloud.core.interface import LIMITS, HostFunction
from picloud.core.pagination import page_for_script, position_for_script
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.services.call_context import Call
from picloud.services.collections import check_collection, page_bytes
from picloud.services.files import rows
from picloud.services.files.blobs import Blobs
from picloud.services.files.checks import (
    OCTETS,
    check_content_type,
    check_metadata,
    check_name,
    is_content_type,
)
from picloud.services.files.file import File
from picloud.services.files.store import Blob, BlobStore, OpenBlob
from picloud.services.quotas import Amount
from picloud.services.writes import Who, Write, Writes

MAX_DATA = LIMITS.number("max_file_bytes")
"""Maximum bytes of a file in one call of a script."""
MAX_LIMIT = LIMITS.number("max_page_items")
WRITES_AT_ONCE = 4
"""Concurrent writes of one app per worker, which limits memory and the threads of the store."""
READS_AT_ONCE = 2
"""Concurrent reads of files or pages of one app per worker; apps share the threads and connections."""

_SQL = load("files")


def host_functions(files: Files) -> Mapping[str, HostFunction]:
    """The host functions of files by import name."""
    return {
        "files_create": files.create,
        "files_create_from_request": files.create_from_request,
        "files_head": files.head,
        "files_get": files.get,
        "files_update": files.update,
        "files_delete": files.delete,
        "files_list": files.list,
    }


class Files:
    """Files of apps. An entry is the JSON of a file that scripts see.

    Writes run to completion even if the caller is cancelled: after a cancelled commit it would be unknown
    which bytes to remove.
    """

    def __init__(self, database: Database, store: BlobStore, writes: Writes | None = None) -> None:
        """Create the service. The caller must call `close`, which closes the store.

        Args:
            store: stores the bytes.
            writes: opens writes; None for writes without quotas and triggers.
        """
        self._database, self._blobs = database, Blobs(database, store)
        self._writes = writes or Writes(database)
        self._changes, self._reads = AppLimiter(WRITES_AT_ONCE), AppLimiter(READS_AT_ONCE)

    async def close(self) -> None:
        """Wait for current writes, and close the store."""
        await self._changes.drain()
        self._blobs.close()

    async def create(
        self, call: Call, collection: str, name: str, content_type: str, metadata: str | None, data: bytes
    ) -> str:
        """Create a file.

        Args:
            call: the calling execution.
            collection: 1 to 128 bytes.
            name: 1 to 255 bytes without control characters.
            content_type: a media type.
            metadata: JSON of an object, at most 16 KiB; None for an empty one.
            data: at most `MAX_DATA` bytes.

        Returns:
            Its entry.

        Raises:
            ServiceError: an argument is not valid, the quota is exceeded, or the bytes cannot be stored.
        """
        check_data(data)
        return await self._create(call, collection, name, content_type, metadata, data)

    async def create_from_request(
        self, call: Call, collection: str, name: str, content_type: str | None, metadata: str | None
    ) -> str:
        """Create a file from the body of the request, without passing it through the script.

        Args:
            call: the calling execution, with the body.
            collection: 1 to 128 bytes.
            name: 1 to 255 bytes without control characters.
            content_type: a media type; None for that of the request, if valid.
            metadata: JSON of an object, at most 16 KiB; None for an empty one.

        Returns:
            The file's entry.

        Raises:
            ServiceError: an argument is not valid, the quota is exceeded, or the bytes cannot be stored.
        """
        if content_type is None:
            received = call.input.content_type
            content_type = received if received is not None and is_content_type(received) else OCTETS
        return await self._create(call, collection, name, content_type, metadata, call.input.data)

    async def head(self, call: Call, collection: str, id_: str) -> str | None:
        """Return the entry of a file, or None; an invalid id matches nothing."""
        file = await self.find(call.app_id, collection, id_)
        return None if file is None else file.entry

    async def get(self, call: Call, collection: str, id_: str) -> dict[str, object] | None:
        """Return a file with its bytes.

        Args:
            call: the calling execution.
            collection: 1 to 128 bytes.
            id_: the file; an invalid id matches nothing.

        Returns:
            `file` (its entry) and `data`, or None.

        Raises:
            Corrupted: the bytes do not match the checksum.
            ServiceError: it has more than `MAX_DATA` bytes, or an argument is not valid.
        """
        file = await self.find(call.app_id, collection, id_)
        if file is None:
            return None
        if file.size > MAX_DATA:
            raise ServiceError(f"the file has more than {MAX_DATA} bytes; return it with response(id)")
        async with self._reads.slot(call.app_id):
            read = await self._blobs.read(file)
        if read is None:
            return None
        file, data = read
        return {"file": file.entry, "data": data}

    async def update(
        self,
        call: Call,
        collection: str,
        id_: str,
        name: str | None,
        content_type: str | None,
        metadata: str | None,
        data: bytes | None,
    ) -> str:
        """Update the fields that are not None.

        Args:
            call: the calling execution.
            collection: 1 to 128 bytes.
            id_: the file.
            name: 1 to 255 bytes without control characters.
            content_type: a media type.
            metadata: JSON of an object, at most 16 KiB, which replaces the current one.
            data: at most `MAX_DATA` bytes.

        Returns:
            The new entry.

        Raises:
            ServiceError: the file does not exist, an argument is not valid, the quota is exceeded, or the
                bytes cannot be stored.
        """
        if name is not None:
            check_name(name)
        if content_type is not None:
            check_content_type(content_type)
        check_metadata(metadata)
        if data is not None:
            check_data(data)
        file = await self.find(call.app_id, collection, id_)
        if file is None:
            raise ServiceError("no such file")
        changed = (name, content_type, metadata)
        return await self._changes.run_to_completion(
            call.app_id, lambda: self._update(call, file, changed, data)
        )

    async def delete(self, call: Call, collection: str, id_: str) -> bool:
        """Delete a file; return whether it existed."""
        check_collection(collection)
        return await self.remove(call, call.app_id, collection, id_)

    async def list(self, call: Call, collection: str, cursor: str | None, limit: int) -> dict[str, object]:
        """Return a page of files, oldest first.

        Files that exist during the whole listing are returned exactly once, despite concurrent writes.

        Args:
            call: the calling execution.
            collection: 1 to 128 bytes.
            cursor: `next_cursor` of the previous page; "" or None for the first.
            limit: 1 to `MAX_LIMIT`.

        Returns:
            `files`, entries of at most `page_bytes` (but at least one), each with the cursor after it, and
            whether there are `more`.

        Raises:
            ServiceError: an argument is not valid.
        """
        check_collection(collection)
        after = position_for_script(cursor, limit, MAX_LIMIT)
        async with self._reads.slot(call.app_id):
            rows = await self._database.fetch(
                _SQL.files_list, call.app_id, collection, after, limit + 1, page_bytes(call.limits)
            )
        return page_for_script(rows, limit, "files", "entry")

    async def find(self, app_id: UUID, collection: str, id_: str) -> File | None:
        """Find a file.

        Args:
            collection: 1 to 128 bytes.
            id_: the file; an invalid id matches nothing.

        Raises:
            ServiceError: the name of the collection is not valid.
        """
        check_collection(collection)
        file_id = parse_id(id_)
        if file_id is None:
            return None
        return await self._blobs.find(app_id, collection, file_id)

    async def open(self, file: File) -> tuple[File, OpenBlob] | None:
        """Open a file to send it. The checksum is verified first.

        Args:
            file: the file as found.

        Returns:
            The current file and its open bytes, which the caller must close; None when it was deleted in the
            meantime.

        Raises:
            Corrupted: the bytes do not match the checksum.
            ServiceError: they cannot be read.
        """
        async with self._reads.slot(file.app_id):
            return await self._blobs.verified(file)

    async def remove(self, who: Who, app_id: UUID, collection: str, id_: str) -> bool:
        """Delete a file.

        Args:
            who: the script's call, or the user.
            collection: 1 to 128 bytes.
            id_: the file; an invalid id matches nothing.

        Returns:
            Whether it existed.
        """
        file_id = parse_id(id_)
        if file_id is None:
            return False

        async def remove() -> bool:
            async with self._writes.begin(who, app_id, "files", collection, adds=None) as write:
                file = await rows.delete(write, file_id)
            if file is not None:
                await self._blobs.drop(file.bytes_at)
            return file is not None

        return await self._changes.run_to_completion(app_id, remove)

    async def remove_app(self, app_id: UUID) -> None:
        """Remove the bytes of a deleted app, after the deletion is committed."""
        await self._blobs.drop_app(app_id)

    async def _create(
        self, call: Call, collection: str, name: str, content_type: str, metadata: str | None, data: bytes
    ) -> str:
        check_collection(collection)
        check_name(name)
        check_content_type(content_type)
        check_metadata(metadata)
        stored_metadata = "{}" if metadata is None else metadata
        added = Amount(1, len(data) + len(stored_metadata.encode()))

        async def create() -> str:
            await self._writes.quotas.check_before(call.app_id, "files", added)
            async with self._storing(call, collection, data, added) as (write, (blob, size, sha256)):
                return await rows.create(write, blob, name, content_type, size, sha256, stored_metadata)

        return await self._changes.run_to_completion(call.app_id, create)

    async def _update(
        self, call: Call, file: File, changed: tuple[str | None, str | None, str | None], data: bytes | None
    ) -> str:
        grows = 0 if data is None else len(data) - file.size
        if (metadata := changed[-1]) is not None:
            grows += len(metadata.encode()) - len(file.metadata.encode())
        added = Amount(0, grows) if grows > 0 else None
        if added is not None:
            await self._writes.quotas.check_before(file.app_id, "files", added)
        if data is None:
            async with self._writes.begin(call, file.app_id, "files", file.collection, adds=added) as write:
                entry, _ = await rows.change(write, file.id, *changed, None)
            return entry
        async with self._storing(call, file.collection, data, added) as (write, content):
            entry, replaced = await rows.change(write, file.id, *changed, content)
        if replaced is not None:
            await self._blobs.drop(replaced)
        return entry

    @asynccontextmanager
    async def _storing(
        self, call: Call, collection: str, data: bytes, added: Amount | None
    ) -> AsyncIterator[tuple[Write, tuple[Blob, int, bytes]]]:
        """Store bytes, and open the write that refers to them.

        Yields:
            The write; the blob, its size and its SHA-256.
        """
        blob, sha256 = await self._blobs.put(call.app_id, data)
        async with (
            self._blobs.naming(blob),
            self._writes.begin(call, call.app_id, "files", collection, adds=added, atomic=True) as write,
        ):
            await self._blobs.hold(write.connection, blob)
            yield write, (blob, len(data), sha256)


def check_data(data: bytes) -> None:
    """Check the size of the bytes of one call."""
    if len(data) > MAX_DATA:
        raise ServiceError(f"data must have at most {MAX_DATA} bytes, not {len(data)}")
