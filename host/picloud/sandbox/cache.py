"""The image cache: compiled scripts of this process, over those that the node shares."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable

from cachetools import LRUCache

from picloud.sandbox.image import Image
from picloud.sandbox.store import ImageStore

OVERHEAD = 512  # bytes an image takes beside its pages


class ImageCache:
    """The images of this process, least recently used out first, each compiled once.

    Attributes:
        compiled: how many compiles there were.
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
        self._compiling: dict[Hashable, asyncio.Task[Image]] = {}
        self._turns = asyncio.Semaphore(compiles_at_once)
        self.compiled = 0

    def find(self, key: Hashable) -> Image | None:
        """The image of this key, if this worker or another one of the node has it."""
        image = self._images.get(key)
        if image is None and self._store is not None:
            image = self._store.get(key)
            if image is not None:
                self._keep(key, image)
        return image

    async def make(self, key: Hashable, compile_image: Callable[[], Awaitable[Image]]) -> Image:
        """Compile an image and keep it; concurrent calls for one key share one compile.

        A caller that gives up does not stop the compile for the others. A failed compile is not kept.

        Args:
            key: script, version and the versions of its modules.
            compile_image: makes it.

        Raises:
            Exception: what `compile_image` raised.
        """
        task = self._compiling.get(key)
        if task is None:
            task = asyncio.create_task(self._compile(key, compile_image))
            self._compiling[key] = task
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # even if all left
        return await asyncio.shield(task)

    async def limited(self, compile_image: Callable[[], Awaitable[Image]]) -> Image:
        """Compile without keeping, within the same number of compiles at once."""
        async with self._turns:
            return await compile_image()

    async def _compile(self, key: Hashable, compile_image: Callable[[], Awaitable[Image]]) -> Image:
        try:
            image = await self.limited(compile_image)
            self.compiled += 1
            self._keep(key, image)
            if self._store is not None:
                self._store.put(key, image)
            return image
        finally:
            del self._compiling[key]

    def _keep(self, key: Hashable, image: Image) -> None:
        if image.size + OVERHEAD <= self._images.maxsize:
            self._images[key] = image
        while len(self._images) > self._count:
            self._images.popitem()
