"""Blobs in a folder: `<app id>/<last two digits of the blob's id>/<blob's id>`, all in hexadecimal.

A write goes to `incoming/`, is synced and renamed, and the target folder is synced, so that a blob is
complete or absent. Blocking calls run on a few threads; reads and writes have separate threads, so that reads
do not wait for a disk that is syncing.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
import os
import shutil
import stat
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid4

from picloud.config import Settings
from picloud.services.files.store import Blob, BlobMissing, StoreUnusable

WRITERS, READERS = 8, 4
"""Numbers of threads. A writer mostly waits for the disk."""

_INCOMING, _OWNER = "incoming", "owner"
_PIECE = 1024 * 1024
_MAX_KNOWN = 65_536  # folders known to be synced

T = TypeVar("T")
_log = logging.getLogger(__name__)


def files_folder(settings: Settings) -> Path:
    """Return the folder of the bytes of files."""
    return settings.data_dir / "files"


class FolderStore:
    """A store in a folder that only the user of the server can read."""

    def __init__(self, root: Path) -> None:
        """Args: root: a folder that was passed to `prepare`."""
        self._root = root.resolve()  # can be a link to another disk; links below it are not followed
        self._incoming = self._root / _INCOMING
        self._writers = ThreadPoolExecutor(WRITERS, "files-write")
        self._readers = ThreadPoolExecutor(READERS, "files-read")
        self._on_disk: set[Path] = set()

    @staticmethod
    def prepare(root: Path) -> None:
        """Create the folder, or check that it can be used.

        If other users can read it, its permissions are changed, with a warning.

        Raises:
            StoreUnusable: it is not a folder, belongs to another user, or is not writable.
        """
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = root.stat()
            if found.st_uid != os.geteuid():
                raise StoreUnusable(f"the folder of files {root} belongs to another user")
            if stat.S_IMODE(found.st_mode) & 0o077:
                root.chmod(0o700)
                _log.warning(
                    "changed the permissions of the folder of files %s; other users could read it", root
                )
            (root / _INCOMING).mkdir(mode=0o700, exist_ok=True)
            if not os.access(root / _INCOMING, os.R_OK | os.W_OK | os.X_OK):
                raise StoreUnusable(f"the folder of files {root} is not writable")
        except FileExistsError as error:
            raise StoreUnusable(f"{error.filename} exists but is not a folder; move it away") from error
        except OSError as error:
            raise StoreUnusable(f"the folder of files {root} cannot be used: {error.strerror}") from error

    async def put(self, blob: Blob, data: bytes) -> bytes:
        """Write and sync a blob. Returns: its SHA-256."""
        return await self._do(self._writers, lambda: self._put(blob, data))

    async def has(self, blob: Blob) -> bool:
        """Return whether a blob exists."""
        return await self._do(self._readers, self._path(blob).exists)

    async def open(self, blob: Blob) -> OpenFile:
        """Open a blob.

        Raises:
            BlobMissing: it does not exist.
        """
        return await self._do(self._readers, lambda: OpenFile(self._path(blob), self._readers))

    async def remove(self, blob: Blob) -> None:
        """Remove a blob, if it exists."""
        await self._do(self._writers, lambda: _remove(self._path(blob)))

    async def remove_app(self, app_id: UUID) -> None:
        """Remove every blob of an app."""
        await self._do(self._writers, lambda: shutil.rmtree(self._root / app_id.hex, ignore_errors=True))

    async def apps(self) -> Sequence[UUID]:
        """Return the apps that have a folder."""
        names = await self._do(self._readers, lambda: _names(self._root))
        return [app_id for name in names if (app_id := _id(name))]

    async def older(self, app_id: UUID, seconds: float) -> AsyncIterator[Sequence[Blob]]:
        """Yield the blobs of an app that are older than some seconds, by folder."""
        folder = self._root / app_id.hex
        for name in await self._do(self._readers, lambda: _names(folder)):
            old = await self._do(self._readers, functools.partial(_older, folder / name, seconds))
            yield [Blob(app_id, id_) for path in old if (id_ := _id(path.name))]

    async def remove_unfinished(self, seconds: float) -> int:
        """Remove unfinished writes older than some seconds. Returns: their number."""

        def remove() -> int:
            left = _older(self._incoming, seconds)
            for path in left:
                _remove(path)
            return len(left)

        return await self._do(self._writers, remove)

    async def owner(self, name: str) -> str:
        """Return the name of the owner in the store; store `name` if there is none."""

        def claim() -> str:
            path = self._root / _OWNER
            if not path.exists():
                self._write_atomically(name.encode(), path)
            return path.read_text("utf-8")

        return await self._do(self._writers, claim)

    def close(self) -> None:
        """Stop the threads, after their current work."""
        self._writers.shutdown()
        self._readers.shutdown()

    def _put(self, blob: Blob, data: bytes) -> bytes:
        digest = hashlib.sha256(data).digest()
        path = self._path(blob)
        self._make(path.parent)
        self._write_atomically(data, path)
        return digest

    def _write_atomically(self, data: bytes, path: Path) -> None:
        """Write a file atomically."""
        temporary = self._incoming / uuid4().hex
        try:
            _write(temporary, data)
            os.rename(temporary, path)  # noqa: PTH104  # steps that change the disk are calls of `os`
            _sync(path.parent)
        except BaseException:
            for left in (temporary, path):
                with suppress(OSError):
                    _remove(left)
            raise

    def _make(self, folder: Path) -> None:
        """Create the folders of an app and a blob, if missing."""
        if folder in self._on_disk:
            return
        for made in (folder.parent, folder):
            with suppress(FileExistsError):
                os.mkdir(made, 0o700)  # noqa: PTH102
            _sync(made.parent)  # also if it existed: its creator may not have synced it yet
        if len(self._on_disk) >= _MAX_KNOWN:
            self._on_disk.clear()
        self._on_disk.add(folder)

    def _path(self, blob: Blob) -> Path:
        return self._root / blob.app_id.hex / blob.id.hex[-2:] / blob.id.hex

    @staticmethod
    async def _do(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, work)


class OpenFile:
    """An open blob. It stays readable if it is removed."""

    def __init__(self, path: Path, threads: ThreadPoolExecutor) -> None:
        """Open the file, blocking. Args: path: the blob. threads: run the reads."""
        self._descriptor: _Descriptor | None = _Descriptor(path)
        self._threads = threads
        self._size = os.fstat(self._descriptor.number).st_size

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self._size

    async def read(self, offset: int, length: int) -> bytes:
        """Read bytes from an offset; fewer than `length` only at the end."""
        return await self._do(lambda descriptor: b"".join(descriptor.pieces(offset, length)))

    async def sha256(self) -> bytes:
        """Return the SHA-256 of the whole blob."""

        def digest(descriptor: _Descriptor) -> bytes:
            found = hashlib.sha256()
            for piece in descriptor.pieces(0, self._size):
                found.update(piece)
            return found.digest()

        return await self._do(digest)

    async def whole(self) -> tuple[bytes, bytes]:
        """Return the whole blob and its SHA-256."""

        def read(descriptor: _Descriptor) -> tuple[bytes, bytes]:
            data = b"".join(descriptor.pieces(0, self._size))
            return data, hashlib.sha256(data).digest()

        return await self._do(read)

    def close(self) -> None:
        """Close it. It can be called twice."""
        self._descriptor = None

    async def _do(self, work: Callable[[_Descriptor], T]) -> T:
        descriptor = self._descriptor
        assert descriptor is not None
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(descriptor))


class _Descriptor:
    """Closed with its last reference: a cancelled read can still run on its thread."""

    def __init__(self, path: Path) -> None:
        self.number = -1
        try:
            self.number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise BlobMissing from None

    def __del__(self) -> None:
        if self.number >= 0:
            os.close(self.number)

    def pieces(self, offset: int, length: int) -> Iterator[bytes]:
        while length > 0 and (piece := os.pread(self.number, min(length, _PIECE), offset)):
            offset, length = offset + len(piece), length - len(piece)
            yield piece


def _write(path: Path, data: bytes) -> None:
    with _opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as descriptor:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)


def _sync(folder: Path) -> None:
    with _opened(folder, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
        os.fsync(descriptor)


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208  # names, not paths
    except (FileNotFoundError, NotADirectoryError):
        return []


def _older(folder: Path, seconds: float) -> list[Path]:
    latest, found = time.time() - seconds, []
    for name in _names(folder):
        with suppress(FileNotFoundError):
            path = folder / name
            if path.lstat().st_mtime <= latest:
                found.append(path)
    return found


def _id(name: str) -> UUID | None:
    """Return the id of a file name, or None if this store did not create it."""
    try:
        id_ = UUID(hex=name)
    except ValueError:
        return None
    return id_ if id_.hex == name else None
