"""The image cache: compiled scripts of this process, backed by those that the node shares."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable

from cachetools import LRUCache

from picloud.core.metrics import Family, Metrics
from picloud.core.single_flight import SingleFlight
from picloud.sandbox.image import Image
from picloud.sandbox.store import ImageStore

OVERHEAD = 512  # bytes of an image in addition to its pages

ENTRIES = Family("picloud_images", "Compiled scripts in the memory of the workers.", "gauge")
BYTES = Family("picloud_image_bytes", "Memory of compiled scripts in the workers, in bytes.", "gauge")
HITS = Family(
    "picloud_image_hits_total",
    "Compiled scripts found in the memory of the worker, or on disk, written by another worker.",
    labels={"where": ("memory", "disk")},
)
COMPILED = Family("picloud_images_compiled_total", "Scripts compiled for an execution.")
METRICS = (ENTRIES, BYTES, HITS, COMPILED)


class ImageCache:
    """An LRU cache of the images of this process; concurrent callers share one compile."""

    def __init__(
        self,
        count: int,
        megabytes: int,
        store: ImageStore | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """Create an empty cache.

        Args:
            count: maximum number of images.
            megabytes: maximum size of all images, in MiB.
            store: images shared by the workers of the node; None for a single worker.
            metrics: metrics of the worker; None for its own.
        """
        metrics = metrics or Metrics(METRICS)
        self._images: LRUCache[Hashable, Image] = LRUCache(
            megabytes << 20, getsizeof=lambda image: image.size + OVERHEAD
        )
        self._count, self._store = count, store
        self._loads: SingleFlight[Hashable] = SingleFlight()
        self._entries, self._bytes = metrics.series(ENTRIES), metrics.series(BYTES)
        self._hits, self._compiled = metrics.by_value(HITS), metrics.series(COMPILED)

    @property
    def compiled(self) -> int:
        """The number of compiled scripts."""
        return int(self._compiled.value)

    def find(self, key: Hashable) -> Image | None:
        """Return the image of a key, from this worker or another one of the node, or None."""
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
        """Return the image of a key, compiled if necessary; concurrent callers share one compile.

        Args:
            key: script, version and the versions of its modules.
            make: compiles the script; if it fails or is cancelled, the next waiting caller compiles.
        """
        return await self._loads.get(key, lambda: self.find(key), lambda: self._made(key, make))

    async def _made(self, key: Hashable, make: Callable[[], Awaitable[Image]]) -> Image:
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
