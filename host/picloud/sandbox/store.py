"""Images that the workers of a node share: what one compiled, the others restore.

One file an image in a folder of this run of the server (the parent empties it at start). A file appears whole
or not at all; one that does not read back is as good as none. The folder must be ours alone: an image is
what guests start from.
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
        """Use a folder.

        Args:
            folder: made if it is not there; only this user may write it.
            megabytes: most bytes of images, in MiB, give or take an eighth a worker; the oldest go first.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder, self._most = folder, megabytes << 20
        self._unchecked = self._most  # bytes put since the folder was last measured: at once at the start

    def clear(self) -> None:
        """Remove every image."""
        for file in self._folder.iterdir():
            file.unlink(missing_ok=True)

    def get(self, key: object) -> Image | None:
        """The image of a key, or None."""
        try:
            size, runs, imports = _DECODER.decode(self._file(key).read_bytes())
        except (OSError, ValueError):
            return None
        return Image(size, runs, sum(len(content) for _, content in runs), imports)

    def put(self, key: object, image: Image) -> None:
        """Keep an image. A full disk costs only that the others compile for themselves."""
        content = encode((image.memory_size, image.runs, image.imports))
        with contextlib.suppress(OSError):
            self._make_room(len(content))
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as temporary:
                temporary.write(content)
            Path(temporary.name).replace(self._file(key))

    def _make_room(self, size: int) -> None:
        self._unchecked += size
        if self._unchecked < self._most // 8:
            return
        self._unchecked = 0
        kept = sorted(
            ((file.stat(), file) for file in self._folder.iterdir()), key=lambda entry: entry[0].st_mtime
        )
        total = size + sum(stat.st_size for stat, _ in kept)
        for stat, file in kept:
            if total <= self._most:
                return
            file.unlink(missing_ok=True)
            total -= stat.st_size

    def _file(self, key: object) -> Path:
        return self._folder / hashlib.sha256(repr(key).encode()).hexdigest()
