"""Images: a compiled script as the pages of guest memory that compiling it changed.

Starting from an image is instantiating and copying those pages, so a cached execution neither parses nor
compiles, and still begins with memory that no other execution has touched.
"""

from __future__ import annotations

import asyncio
import sys
from array import array
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

from cachetools import LRUCache

from picloud.sandbox.capi import Guest
from picloud.sandbox.engine import Engine

PAGE = 4096
_PAGEMAP = Path("/proc/self/pagemap")
_PRESENT, _SWAPPED, _SHARED = 1 << 63, 1 << 62, 1 << 61  # Documentation/admin-guide/mm/pagemap.rst


@dataclass(frozen=True, slots=True)
class Image:
    """A compiled script.

    Attributes:
        memory_size: how large the linear memory was, in bytes.
        runs: (address, content) of each run of changed pages.
        size: bytes of content.
        imports: names of the modules it imports literally.
    """

    memory_size: int
    runs: tuple[tuple[int, bytes], ...]
    size: int
    imports: tuple[str, ...]

    @classmethod
    def take(cls, engine: Engine, guest: Guest, imports: tuple[str, ...]) -> Image:
        """Snapshot a guest after a compile.

        Args:
            engine: the engine it is of.
            guest: not in a call.
            imports: as `Image.imports`.
        """
        size = guest.memory_size()
        runs: list[tuple[int, bytearray]] = []
        for address in _candidates(guest, size):
            if any(start <= address and address + PAGE <= end for start, end in engine.info.scratch):
                continue
            page = guest.read(address, PAGE)
            if page == engine.pristine[address : address + PAGE].ljust(PAGE, b"\0"):
                continue
            if runs and runs[-1][0] + len(runs[-1][1]) == address:
                runs[-1][1].extend(page)
            else:
                runs.append((address, bytearray(page)))
        frozen = tuple((address, bytes(content)) for address, content in runs)
        return cls(size, frozen, sum(len(content) for _, content in frozen), imports)

    def restore(self, guest: Guest) -> None:
        """Make a fresh guest's memory this image.

        Raises:
            capi.WasmError: the guest's memory limit is below the image's size.
        """
        guest.load(self.memory_size, self.runs)


def _candidates(guest: Guest, size: int) -> list[int]:
    """Addresses of the pages that may have changed: on Linux those the kernel gave a copy of."""
    if sys.platform != "linux":
        return list(range(0, size, PAGE))
    entries = array("Q")
    with _PAGEMAP.open("rb", buffering=0) as pagemap:
        pagemap.seek(guest.address() // PAGE * 8)
        entries.frombytes(pagemap.read(size // PAGE * 8))
    return [
        index * PAGE
        for index, entry in enumerate(entries)
        if entry & (_PRESENT | _SWAPPED) and not entry & _SHARED
    ]


class ImageCache:
    """The images of this process, least recently used out first, each compiled once.

    Attributes:
        compiled: how many compiles there were.
    """

    def __init__(self, count: int, megabytes: int, compiles_at_once: int = 4) -> None:
        """Make an empty cache.

        Args:
            count: most images.
            megabytes: most bytes of images, in MiB.
            compiles_at_once: how many compiles may run together.
        """
        self._images: LRUCache[Hashable, Image] = LRUCache(
            megabytes << 20, getsizeof=lambda image: image.size + 512
        )
        self._count = count
        self._compiling: dict[Hashable, asyncio.Task[Image]] = {}
        self._turns = asyncio.Semaphore(compiles_at_once)
        self.compiled = 0

    def find(self, key: Hashable) -> Image | None:
        """The image of this key, if it is here."""
        return self._images.get(key)

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
            task.add_done_callback(
                lambda done: done.cancelled() or done.exception()
            )  # retrieved even if all left
        return await asyncio.shield(task)

    async def limited(self, compile_image: Callable[[], Awaitable[Image]]) -> Image:
        """Compile without keeping, within the same number of compiles at once."""
        async with self._turns:
            return await compile_image()

    async def _compile(self, key: Hashable, compile_image: Callable[[], Awaitable[Image]]) -> Image:
        try:
            image = await self.limited(compile_image)
            self.compiled += 1
            self._images.pop(key, None)
            if image.size + 512 <= self._images.maxsize:
                self._images[key] = image
            while len(self._images) > self._count:
                self._images.popitem()
            return image
        finally:
            del self._compiling[key]
