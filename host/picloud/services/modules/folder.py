"""The sources of modules by name, from a folder."""

from __future__ import annotations

from pathlib import Path

from picloud.services.call_context import Call
from picloud.services.modules.names import unusable


class Unreadable(Exception):
    """The file of a module is not UTF-8; the message names it."""


class FolderSources:
    """The modules in a folder, each `NAME.rhai`."""

    def __init__(self, folder: Path) -> None:
        """Args: folder: the folder of the script."""
        self._folder = folder

    def file(self, name: str) -> Path | None:
        """Return the path of a module, which need not exist. Args: name: any string."""
        if unusable(name) is not None:
            return None
        return self._folder / f"{name}.rhai"

    async def source(self, call: Call | None, name: str) -> bytes | None:
        """Return the source of a module, or None when the file does not exist. `call` is ignored.

        Raises:
            Unreadable: it is not UTF-8.
        """
        file = self.file(name)
        try:
            source = file.read_bytes() if file is not None else None
        except OSError:
            return None
        try:
            if source is not None:
                source.decode()
        except UnicodeDecodeError as error:
            raise Unreadable(f"{file} is not UTF-8 (byte {error.start})") from None
        return source
