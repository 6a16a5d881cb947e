"""Modules of a local script: `NAME.rhai` in the same folder."""

from __future__ import annotations

from uuid import NAMESPACE_URL, UUID, uuid5

from picloud.control.scripts.modules import Module
from picloud.core.errors import ScriptInvalid
from picloud.execution.executor import Executor
from picloud.sandbox.limits import Limits
from picloud.services.modules.folder import FolderSources

_NO_APP = UUID(int=0)  # the budget for compiles is that of this process


async def needed_modules(
    folder: FolderSources, executor: Executor, source: bytes, limits: Limits
) -> tuple[Module, ...]:
    """Return the modules that a script imports by literal name, directly or indirectly.

    Args:
        folder: the folder of the modules.
        executor: finds the imports.
        source: source of the script.
        limits: limits of the script.

    Returns:
        The modules that exist, even if they do not compile.

    Raises:
        Unreadable: a module is not UTF-8.
    """
    found: dict[str, Module] = {}
    waiting = await _imports(executor, source, "endpoint", limits)
    while waiting:
        name = waiting.pop()
        module = await folder.source(None, name) if name not in found else None
        if module is not None:
            found[name] = Module(_id(name), 1, name, module)
            waiting += await _imports(executor, module, "module", limits)
    return tuple(found.values())


async def _imports(executor: Executor, source: bytes, kind: str, limits: Limits) -> list[str]:
    """Return the literal imports; empty if the source does not parse, which is reported when it runs."""
    try:
        return await executor.validate(_NO_APP, source, kind, limits)
    except ScriptInvalid:
        return []


def _id(name: str) -> UUID:
    return uuid5(NAMESPACE_URL, name)
