"""Modules of a script in a file: `NAME.rhai` in the same folder."""

from __future__ import annotations

from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

from picloud.control.scripts.module_names import unusable
from picloud.control.scripts.modules import Module
from picloud.core.errors import ScriptInvalid
from picloud.execution.executor import Executor
from picloud.sandbox.limits import Limits
from picloud.services.call_context import Call


class Unreadable(Exception):
    """The file of a module is not text; the message says which."""


class FolderModules:
    """The modules in a folder; none if the folder does not exist."""

    def __init__(self, folder: Path | None) -> None:
        """Look there. Args: folder: where the script is."""
        self._folder = folder

    def file(self, name: str) -> Path | None:
        """The file of a module, whether or not it is there. Args: name: any text."""
        if self._folder is None or unusable(name) is not None:
            return None
        return self._folder / f"{name}.rhai"

    async def source(self, call: Call | None, name: str) -> bytes | None:
        """The source of a module, as `picloud.control.scripts.modules.Modules.source` gives those of an app.

        Raises:
            Unreadable: it is there, and no text.
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

    async def needed(self, executor: Executor, source: bytes, limits: Limits) -> tuple[Module, ...]:
        """The modules that a script imports literally, directly or by others.

        Args:
            executor: finds the imports.
            source: of the script.
            limits: of the script.

        Returns:
            Those that are there, whether or not they compile.

        Raises:
            Unreadable: one is not text.
        """
        found: dict[str, Module] = {}
        waiting = await _imports(executor, source, "endpoint", limits)
        while waiting:
            name = waiting.pop()
            module = await self.source(None, name) if name not in found else None
            if module is not None:
                found[name] = Module(_id(name), 1, name, module)
                waiting += await _imports(executor, module, "module", limits)
        return tuple(found.values())


async def _imports(executor: Executor, source: bytes, kind: str, limits: Limits) -> list[str]:
    """Literal imports; none if the source does not parse, which is reported when it runs."""
    try:
        return await executor.validate(source, kind, limits)
    except ScriptInvalid:
        return []


def _id(name: str) -> UUID:
    return uuid5(NAMESPACE_URL, name)
