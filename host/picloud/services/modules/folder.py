"""The sources of modules by name, from files of a folder."""

from __future__ import annotations

from pathlib import Path

from picloud.services.call_context import Call
from picloud.services.modules.names import unusable


class Unreadable(Exception):
    """The file of a module is not text; the message says which."""


class FolderSources:
    """The modules in a folder, each `NAME.rhai`."""

    def __init__(self, folder: Path) -> None:
        """Use a folder. Args: folder: where the script is."""
        self._folder = folder

    def file(self, name: str) -> Path | None:
        """The file of a module, whether or not it is there. Args: name: any text."""
        if unusable(name) is not None:
            return None
        return self._folder / f"{name}.rhai"

    async def source(self, call: Call | None, name: str) -> bytes | None:
        """The source of a module, None when the file does not exist. `call` plays no part.

        Raises:
            Unreadable: it is there, and is not UTF-8.
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
