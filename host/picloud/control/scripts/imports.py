"""The imports of scripts: stored with every save, resolved when they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from picloud.control.scripts.draft import Kind
from picloud.core.errors import Conflict, Invalid
from picloud.db.pool import Connection, Database
from picloud.db.queries import load
from picloud.services.modules.names import unusable

MAX_MODULES = 256
"""Modules of one script, including modules that modules import."""

_SQL = load("modules")
_MAX_NAME = 128  # bytes; longer names are not stored, since no module can have one


@dataclass(frozen=True, slots=True)
class Import:
    """An import of a script, resolved in its app.

    Attributes:
        name: the imported name.
        script_id: the script with this name, or None.
        version: version of that script.
        kind: kind of that script.
        problem: why the import fails (in a function: when it is executed), or None.
    """

    name: str
    script_id: UUID | None
    version: int | None
    kind: Kind | None
    problem: str | None


def storable(names: Sequence[str]) -> list[str]:
    """Return the literal imports of a script that are stored.

    Args:
        names: from the guest, in the order of the source.

    Returns:
        The names that the database can store.

    Raises:
        Invalid: more than `MAX_MODULES` names.
    """
    if len(names) > MAX_MODULES:
        raise Invalid(
            f"a script can import at most {MAX_MODULES} modules, not {len(names)}",
            field="source",
            requested=len(names),
            ceiling=MAX_MODULES,
        )
    return [name for name in names if 1 <= len(name.encode()) <= _MAX_NAME and "\0" not in name]


async def store(connection: Connection, app_id: UUID, script_id: UUID, names: Sequence[str]) -> None:
    """Store the imports of a script.

    Args:
        connection: of the transaction that saves the script.
        names: from `storable`.
    """
    await connection.execute(_SQL.script_imports_keep, app_id, script_id, names)


async def require_no_importers(connection: Connection, app_id: UUID, name: str, script_id: UUID) -> None:
    """Check that no other script imports a module.

    Args:
        connection: of the transaction that renames or deletes it.
        name: name of the module.
        script_id: the module; an import of itself does not count.

    Raises:
        Conflict: scripts import it; see the details.
    """
    importers = await connection.fetch(_SQL.importers, app_id, name, script_id)
    if importers:
        raise Conflict(
            f"scripts import the module {name!r}; use ?force=true to proceed anyway",
            imported_by=[dict(one) for one in importers],
        )


async def describe(database: Database, app_id: UUID, names: Sequence[str]) -> list[Import]:
    """Resolve imported names.

    Args:
        app_id: the app of the script that imports them.
        names: from `storable`.

    Returns:
        One import for each name, sorted.
    """
    rows = await database.fetch(_SQL.imports_graph, app_id, list(names), 2 * MAX_MODULES)
    found = {row["name"]: row for row in rows}
    graph = {name: row["imports"] for name, row in found.items() if row["kind"] == "module"}
    imports = []
    for name in sorted(names):
        row = found[name]
        imports.append(
            Import(name, row["id"], row["version"], row["kind"], _problem(name, row["kind"], graph))
        )
    return imports


def _problem(name: str, kind: Kind | None, graph: Mapping[str, Sequence[str]]) -> str | None:
    reason = unusable(name)
    if reason is not None:
        return reason
    if kind is None:
        return "module not found"
    if kind != "module":
        return "not a module but an endpoint; only modules can be imported"
    circle = find_circle(name, graph)
    return f"modules import each other in a circle: {' -> '.join(circle)}" if circle else None


def find_circle(start: str, graph: Mapping[str, Sequence[str]]) -> list[str]:
    """Find a circle of modules that import each other.

    Args:
        start: the first module.
        graph: what each module imports.

    Returns:
        The names of the first circle found, with the first name again at the end; empty if there is none.
    """
    path: list[str] = []
    waiting = [iter((start,))]  # remaining imports of each module of the path, after `start` itself
    done: set[str] = set()
    while waiting:
        name = next(waiting[-1], None)
        if name is None:
            waiting.pop()
            if path:
                done.add(path.pop())
        elif name in path:
            return [*path[path.index(name) :], name]
        elif name not in done:
            path.append(name)
            waiting.append(iter(sorted(graph.get(name, ()))))
    return []
