"""The image cache: compiled scripts of this process, over those that the node shares."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable

from cachetools import LRUCache

from picloud.core.metrics import Family, Metrics
from picloud.core.single_flight import SingleFlight
from picloud.sandbox.image import Image
from picloud.sandbox.store import ImageStore

OVERHEAD = 512  # bytes an image takes beside its pages

ENTRIES = Family("picloud_images", "Compiled scripts in the memory of the workers.", "gauge")
BYTES = Family("picloud_image_bytes", "Memory that compiled scripts take in the workers, in bytes.", "gauge")
HITS = Family(
    "picloud_image_hits_total",
    "Compiled scripts that were found: in the worker's memory, or on disk where another worker put them.",
    labels={"where": ("memory", "disk")},
)
COMPILED = Family("picloud_images_compiled_total", "Scripts that were compiled to be executed.")
METRICS = (ENTRIES, BYTES, HITS, COMPILED)


class ImageCache:
    """The images of this process, least recently used out first, each compiled once.

    Attributes:
        turns: held by whoever compiles.
    """

    def __init__(
        self,
        count: int,
        megabytes: int,
        store: ImageStore | None = None,
        compiles_at_once: int = 4,
        metrics: Metrics | None = None,
    ) -> None:
        """Make an empty cache.

        Args:
            count: most images.
            megabytes: most bytes of images, in MiB.
            store: where the workers of the node share what they compiled; None where there is one only.
            compiles_at_once: how many compiles may run together.
            metrics: where it counts; None for itself.
        """
        metrics = metrics or Metrics(METRICS)
        self._images: LRUCache[Hashable, Image] = LRUCache(
            megabytes << 20, getsizeof=lambda image: image.size + OVERHEAD
        )
        self._count, self._store = count, store
        self._flights: SingleFlight[Hashable] = SingleFlight()
        self.turns = asyncio.Semaphore(compiles_at_once)
        self._entries, self._bytes = metrics.series(ENTRIES), metrics.series(BYTES)
        self._hits, self._compiled = metrics.by_value(HITS), metrics.series(COMPILED)

    @property
    def compiled(self) -> int:
        """How many compiles were kept."""
        return int(self._compiled.value)

    def find(self, key: Hashable) -> Image | None:
        """The image of this key, if this worker or another one of the node has it."""
        image = self._images.get(key)
        if image is not None:
            self._hits["memory"].inc()
        elif self._store is not None:
            image = self._store.get(key)
            if image is not None:
                self._hits["disk"].inc()
                self._keep(key, image)
        return image

    async def get(self, key: Hashable, make: Callable[[], Awaitable[Image]]) -> Image:
        """The image of this key, compiled if need be: once for all who ask in the meantime.

        Args:
            key: script, version and the versions of its modules.
            make: compiles it, in a turn; whoever gives up or fails leaves that to the next who waits.

        Returns:
            It.
        """
        return await self._flights.get(key, lambda: self.find(key), lambda: self._made(key, make))

    async def _made(self, key: Hashable, make: Callable[[], Awaitable[Image]]) -> Image:
        async with self.turns:
            image = await make()
        self._compiled.inc()
        self._keep(key, image)
        if self._store is not None:
            self._store.put(key, image)
        return image

    def _keep(self, key: Hashable, image: Image) -> None:
        if image.size + OVERHEAD <= self._images.maxsize:
            self._images[key] = image
        while len(self._images) > self._count:
            self._images.popitem()
        self._entries.set(len(self._images))
        self._bytes.set(self._images.currsize)
