"""Blobs in a folder: `<app id>/<last two digits of the blob's id>/<blob's id>`, all in hexadecimal.

A write goes to `incoming/` first, is synced, renamed to its place, and the place is synced: a blob is
there whole or not at all. Blocking calls run on a few threads of the store's own; reads have others than
writes, so that they do not wait for a disk that is busy syncing.
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
"""Threads. A writer mostly waits for the disk."""

_INCOMING, _OWNER = "incoming", "owner"
_PIECE = 1024 * 1024
_MOST_KNOWN = 65_536  # folders known to be on the disk

T = TypeVar("T")
_log = logging.getLogger(__name__)


def files_folder(settings: Settings) -> Path:
    """Where the bytes of files are. Args: settings: the configuration."""
    return settings.data_dir / "files"


class FolderStore:
    """A store in a folder that only the server's user can look into."""

    def __init__(self, root: Path) -> None:
        """Args: root: a folder that `prepare` has been called for."""
        self._root = root.resolve()  # it may be a link to a larger disk; below it links are not followed
        self._incoming = self._root / _INCOMING
        self._writers = ThreadPoolExecutor(WRITERS, "files-write")
        self._readers = ThreadPoolExecutor(READERS, "files-read")
        self._on_disk: set[Path] = set()

    @staticmethod
    def prepare(root: Path) -> None:
        """Make the folder, or see that it can be used.

        One that others may look into is closed to them, with a warning.

        Args:
            root: where.

        Raises:
            StoreUnusable: it is no folder, another user's, or cannot be written to.
        """
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = root.stat()
            if found.st_uid != os.geteuid():
                raise StoreUnusable(f"the folder of files {root} belongs to another user")
            if stat.S_IMODE(found.st_mode) & 0o077:
                root.chmod(0o700)
                _log.warning("others could look into the folder of files %s; now they cannot", root)
            (root / _INCOMING).mkdir(mode=0o700, exist_ok=True)
            if not os.access(root / _INCOMING, os.R_OK | os.W_OK | os.X_OK):
                raise StoreUnusable(f"the folder of files {root} cannot be written to")
        except FileExistsError as error:
            raise StoreUnusable(f"{error.filename} is in the way: files need a folder there") from error
        except OSError as error:
            raise StoreUnusable(f"the folder of files {root} cannot be used: {error.strerror}") from error

    async def put(self, blob: Blob, data: bytes) -> bytes:
        """Write a blob; when this returns it survives a loss of power. Returns: its SHA-256."""
        return await self._do(self._writers, lambda: self._put(blob, data))

    async def has(self, blob: Blob) -> bool:
        """Whether there is such a blob."""
        return await self._do(self._readers, self._path(blob).exists)

    async def open(self, blob: Blob) -> OpenFile:
        """Open a blob.

        Raises:
            BlobMissing: there is none.
        """
        return await self._do(self._readers, lambda: OpenFile(self._path(blob), self._readers))

    async def remove(self, blob: Blob) -> None:
        """Remove a blob; harmless where there is none."""
        await self._do(self._writers, lambda: _remove(self._path(blob)))

    async def remove_app(self, app_id: UUID) -> None:
        """Remove every blob of an app."""
        await self._do(self._writers, lambda: shutil.rmtree(self._root / app_id.hex, ignore_errors=True))

    async def apps(self) -> Sequence[UUID]:
        """The apps that have a folder."""
        names = await self._do(self._readers, lambda: _names(self._root))
        return [app_id for name in names if (app_id := _id(name))]

    async def older(self, app_id: UUID, seconds: float) -> AsyncIterator[Sequence[Blob]]:
        """The blobs of an app that were written at least so long ago, by folder."""
        folder = self._root / app_id.hex
        for name in await self._do(self._readers, lambda: _names(folder)):
            old = await self._do(self._readers, functools.partial(_older, folder / name, seconds))
            yield [Blob(app_id, id_) for path in old if (id_ := _id(path.name))]

    async def remove_unfinished(self, seconds: float) -> int:
        """Remove what writes left behind that began at least so long ago. Returns: how many."""

        def remove() -> int:
            left = _older(self._incoming, seconds)
            for path in left:
                _remove(path)
            return len(left)

        return await self._do(self._writers, remove)

    async def owner(self, name: str) -> str:
        """Who left their name in the store; `name` is left where nobody has."""

        def leave() -> str:
            path = self._root / _OWNER
            if not path.exists():
                self._place(name.encode(), path)
            return path.read_text("utf-8")

        return await self._do(self._writers, leave)

    def close(self) -> None:
        """End the threads, when what they are doing is done."""
        self._writers.shutdown()
        self._readers.shutdown()

    def _put(self, blob: Blob, data: bytes) -> bytes:
        digest = hashlib.sha256(data).digest()
        path = self._path(blob)
        self._make(path.parent)
        self._place(data, path)
        return digest

    def _place(self, data: bytes, path: Path) -> None:
        """Write a file that is there whole or not at all."""
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
        """Make the folder of a blob, and the app's, if need be."""
        if folder in self._on_disk:
            return
        for made in (folder.parent, folder):
            with suppress(FileExistsError):
                os.mkdir(made, 0o700)  # noqa: PTH102
            _sync(made.parent)  # also when it was there: who made it may not have come to that yet
        if len(self._on_disk) >= _MOST_KNOWN:
            self._on_disk.clear()
        self._on_disk.add(folder)

    def _path(self, blob: Blob) -> Path:
        return self._root / blob.app_id.hex / blob.id.hex[-2:] / blob.id.hex

    @staticmethod
    async def _do(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, work)


class OpenFile:
    """A blob that is open. It stays readable when it is removed in the meantime."""

    def __init__(self, path: Path, threads: ThreadPoolExecutor) -> None:
        """Open it; this blocks. Args: path: the blob. threads: where reading happens."""
        self._descriptor: _Descriptor | None = _Descriptor(path)
        self._threads = threads
        self._size = os.fstat(self._descriptor.number).st_size

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self._size

    async def read(self, offset: int, length: int) -> bytes:
        """Bytes from an offset; fewer than `length` only at the end."""
        return await self._do(lambda descriptor: b"".join(descriptor.pieces(offset, length)))

    async def sha256(self) -> bytes:
        """The SHA-256 of all of it."""

        def digest(descriptor: _Descriptor) -> bytes:
            found = hashlib.sha256()
            for piece in descriptor.pieces(0, self._size):
                found.update(piece)
            return found.digest()

        return await self._do(digest)

    async def whole(self) -> tuple[bytes, bytes]:
        """All of it, and the SHA-256 of that."""

        def read(descriptor: _Descriptor) -> tuple[bytes, bytes]:
            data = b"".join(descriptor.pieces(0, self._size))
            return data, hashlib.sha256(data).digest()

        return await self._do(read)

    def close(self) -> None:
        """Let go; harmless when done before."""
        self._descriptor = None

    async def _do(self, work: Callable[[_Descriptor], T]) -> T:
        descriptor = self._descriptor
        assert descriptor is not None
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(descriptor))


class _Descriptor:
    """Closed when nobody has it any more: a reader that was cancelled may still be reading on its thread."""

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
    """The id a name stands for; what this store did not make has another name."""
    try:
        id_ = UUID(hex=name)
    except ValueError:
        return None
    return id_ if id_.hex == name else None
