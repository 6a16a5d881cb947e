"""Imports between scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from picloud.control.scripts.imports import Import
from picloud.control.scripts.model import ScriptSummary
from picloud.core.pagination import Page
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint, ListQuery


@dataclass(frozen=True, slots=True)
class Imports:
    """The imports of a script by literal name.

    Attributes:
        items: all imports, sorted by name.
        next_cursor: always null: the list has one page.
    """

    items: list[Import]
    next_cursor: None = None


async def imports(platform: Platform, call: AdminCall[Any, Any]) -> Imports:
    """List the imports of a script."""
    return Imports(await platform.modules.imports(call.script))


async def imported_by(platform: Platform, call: AdminCall[Any, ListQuery]) -> Page[ScriptSummary]:
    """List the scripts that import a script."""
    return await platform.modules.imported_by(call.script, call.query.page)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/scripts/{script}/imports",
        handle=imports,
        access="app.read",
        summary="List the imports of a script by literal name, and the scripts they refer to",
    ),
    Endpoint(
        method="GET",
        path="/scripts/{script}/imported-by",
        handle=imported_by,
        access="app.read",
        query=ListQuery,
        summary="List the scripts that import a module, without sources",
    ),
)
