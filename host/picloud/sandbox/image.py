"""Images: a compiled script as the pages of guest memory that compiling it changed.

Starting from an image is instantiating and copying those pages, so a cached execution neither parses nor
compiles, and still begins with memory that no other execution has touched.
"""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass
from pathlib import Path

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
