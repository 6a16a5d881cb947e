"""Images: the pages of guest memory that changed when a script was compiled.

A cached execution creates an instance and copies these pages. So it neither parses nor compiles, and its
memory was never used by another execution.
"""

from __future__ import annotations

from dataclasses import dataclass

from picloud.sandbox.capi import Guest
from picloud.sandbox.engine import PAGE, Engine


@dataclass(frozen=True, slots=True)
class Image:
    """A compiled script.

    Attributes:
        memory_size: size of the linear memory in bytes.
        runs: (address, content) of each run of changed pages.
        size: total bytes of content.
        imports: names of its literal imports.
    """

    memory_size: int
    runs: tuple[tuple[int, bytes], ...]
    size: int
    imports: tuple[str, ...]

    @classmethod
    def take(cls, engine: Engine, guest: Guest, imports: tuple[str, ...]) -> Image:
        """Take an image of a guest after a compile.

        Args:
            engine: its engine.
            guest: a guest that is not in a call.
            imports: see `Image.imports`.
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
        """Copy the image into the memory of a new guest.

        Raises:
            capi.WasmError: the image exceeds the memory limit of the guest.
        """
        guest.load(self.memory_size, self.runs)
