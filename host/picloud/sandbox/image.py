"""Images: a compiled script as the pages of guest memory that compiling it changed.

Starting from an image is instantiating and copying those pages, so a cached execution neither parses nor
compiles, and still begins with memory that no other execution has touched.
"""

from __future__ import annotations

from dataclasses import dataclass

from picloud.sandbox.capi import Guest
from picloud.sandbox.engine import PAGE, Engine


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
        runs: list[list[int]] = []  # [start, end) of neighbouring pages
        for page in guest.differences(engine.pristine, (*engine.live, (len(engine.pristine), size)), PAGE):
            if runs and runs[-1][1] == page:
                runs[-1][1] += PAGE
            else:
                runs.append([page, page + PAGE])
        copied = tuple((start, guest.read(start, end - start)) for start, end in runs)
        return cls(size, copied, sum(len(content) for _, content in copied), imports)

    def restore(self, guest: Guest) -> None:
        """Make a fresh guest's memory this image.

        Raises:
            capi.WasmError: the guest's memory limit is below the image's size.
        """
        guest.load(self.memory_size, self.runs)
