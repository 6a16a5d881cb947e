"""The image cache: compiled scripts of this process, over those that the node shares."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from cachetools import LRUCache

from picloud.sandbox.image import Image
from picloud.sandbox.store import ImageStore

OVERHEAD = 512  # bytes an image takes beside its pages


class ImageCache:
    """The images of this process, least recently used out first, each compiled once.

    Attributes:
        compiled: how many compiles were kept.
        turns: held by whoever compiles.
    """

    def __init__(
        self, count: int, megabytes: int, store: ImageStore | None = None, compiles_at_once: int = 4
    ) -> None:
        """Make an empty cache.

        Args:
            count: most images.
            megabytes: most bytes of images, in MiB.
            store: where the workers of the node share what they compiled; None where there is one only.
            compiles_at_once: how many compiles may run together.
        """
        self._images: LRUCache[Hashable, Image] = LRUCache(
            megabytes << 20, getsizeof=lambda image: image.size + OVERHEAD
        )
        self._count, self._store = count, store
        self._lines: dict[Hashable, _Line] = {}
        self.turns = asyncio.Semaphore(compiles_at_once)
        self.compiled = 0

    def find(self, key: Hashable) -> Image | None:
        """The image of this key, if this worker or another one of the node has it."""
        image = self._images.get(key)
        if image is None and self._store is not None:
            image = self._store.get(key)
            if image is not None:
                self._keep(key, image)
        return image

    @asynccontextmanager
    async def turn(self, key: Hashable) -> AsyncIterator[Image | None]:
        """Take the turn to compile an image: one caller a key at a time, and so many in all.

        Whoever gives up or fails leaves the turn to the next who waits.

        Args:
            key: script, version and the versions of its modules.

        Yields:
            The image that someone made while this caller waited, or None: compile, and `keep` it.
        """
        line = self._lines.setdefault(key, _Line())
        line.waiting += 1
        try:
            async with line.lock, self.turns:
                yield self._images.get(key)
        finally:
            line.waiting -= 1
            if not line.waiting:
                del self._lines[key]

    def keep(self, key: Hashable, image: Image) -> None:
        """Keep an image, here and for the other workers."""
        self.compiled += 1
        self._keep(key, image)
        if self._store is not None:
            self._store.put(key, image)

    def _keep(self, key: Hashable, image: Image) -> None:
        if image.size + OVERHEAD <= self._images.maxsize:
            self._images[key] = image
        while len(self._images) > self._count:
            self._images.popitem()


class _Line:
    """Those who wait for one image."""

    __slots__ = ("lock", "waiting")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.waiting = 0
