"""Images shared by the workers of a node: one compiles, the others restore.

Each image is a file in a folder, which the parent process empties at start. Files are written atomically;
unreadable ones are ignored. Only this user can write to the folder, because guests start from images.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from pathlib import Path

from msgspec.msgpack import Decoder

from picloud.core.msgpack import encode
from picloud.sandbox.image import Image

_DECODER = Decoder(tuple[int, tuple[tuple[int, bytes], ...], tuple[str, ...]])


class ImageStore:
    """A folder of images."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        """Open a store.

        Args:
            folder: created if missing; only this user can write to it.
            megabytes: maximum size in MiB, within an eighth per worker; the oldest images are removed.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder, self._max_bytes = folder, megabytes << 20
        self._unchecked = (
            self._max_bytes
        )  # bytes written since the size was measured; measured first at start

    def clear(self) -> None:
        """Remove every image."""
        for file in self._folder.iterdir():
            file.unlink(missing_ok=True)

    def get(self, key: object) -> Image | None:
        """Return the image of a key, or None."""
        try:
            size, runs, imports = _DECODER.decode(self._file(key).read_bytes())
        except (OSError, ValueError):
            return None
        return Image(size, runs, sum(len(content) for _, content in runs), imports)

    def put(self, key: object, image: Image) -> None:
        """Store an image. On a full disk the other workers compile it themselves."""
        content = encode((image.memory_size, image.runs, image.imports))
        with contextlib.suppress(OSError):
            self._make_room(len(content))
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as temporary:
                temporary.write(content)
            Path(temporary.name).replace(self._file(key))

    def _make_room(self, size: int) -> None:
        self._unchecked += size
        if self._unchecked < self._max_bytes // 8:
            return
        self._unchecked = 0
        images = sorted(
            ((file.stat(), file) for file in self._folder.iterdir()), key=lambda entry: entry[0].st_mtime
        )
        total = size + sum(stat.st_size for stat, _ in images)
        for stat, file in images:
            if total <= self._max_bytes:
                return
            file.unlink(missing_ok=True)
            total -= stat.st_size

    def _file(self, key: object) -> Path:
        return self._folder / hashlib.sha256(repr(key).encode()).hexdigest()
