"""What scripts import: kept with every save, and told with what it stands for today."""

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
"""Modules of one script, those that modules import included."""

_SQL = load("modules")
_MAX_NAME = 128  # bytes; a longer name, which no module can have, is not kept


@dataclass(frozen=True, slots=True)
class Import:
    """A name that a script imports, and what it stands for in the app now.

    Attributes:
        name: as the script says it.
        script_id: the script of this name, or None where there is none.
        version: of that script.
        kind: of that script.
        problem: why the import fails, or would outside of a function, where it does.
    """

    name: str
    script_id: UUID | None
    version: int | None
    kind: Kind | None
    problem: str | None


def kept(names: Sequence[str]) -> list[str]:
    """The names that are kept of a script's literal imports.

    Args:
        names: as the guest found them in the source.

    Returns:
        Those that the database can hold.

    Raises:
        Invalid: there are more than `MAX_MODULES`.
    """
    if len(names) > MAX_MODULES:
        raise Invalid(
            f"a script imports at most {MAX_MODULES} modules, this one {len(names)}",
            field="source",
            requested=len(names),
            ceiling=MAX_MODULES,
        )
    return [name for name in names if 1 <= len(name.encode()) <= _MAX_NAME and "\0" not in name]


async def keep(connection: Connection, app_id: UUID, script_id: UUID, names: Sequence[str]) -> None:
    """Write down what a script imports.

    Args:
        connection: of the transaction that saves it.
        names: as `kept` gave them.
    """
    await connection.execute(_SQL.script_imports_keep, app_id, script_id, names)


async def refuse_with_importers(connection: Connection, app_id: UUID, name: str, script_id: UUID) -> None:
    """Refuse to take a module from those that import it.

    Args:
        connection: of the transaction that would do so.
        name: that they import.
        script_id: the module; that it imports itself does not count.

    Raises:
        Conflict: there are some; they are in the details.
    """
    importers = await connection.fetch(_SQL.importers, app_id, name, script_id)
    if importers:
        raise Conflict(
            f"scripts import the module {name!r}; ?force=true leaves them without it",
            imported_by=[dict(one) for one in importers],
        )


async def describe(database: Database, app_id: UUID, names: Sequence[str]) -> list[Import]:
    """Tell what imported names stand for.

    Args:
        app_id: the app of the script that imports them.
        names: as `kept` gave them.

    Returns:
        One import a name, sorted.
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
        return "there is no module of this name"
    if kind != "module":
        return "this is an endpoint, and only modules can be imported"
    circle = find_circle(name, graph)
    return f"modules import each other in a circle: {' -> '.join(circle)}" if circle else None


def find_circle(start: str, graph: Mapping[str, Sequence[str]]) -> list[str]:
    """Look for modules that import each other.

    Args:
        start: where to begin.
        graph: what each module imports.

    Returns:
        The names of the first circle found, its first again at its end; none where there is no circle.
    """
    path: list[str] = []
    waiting = [iter((start,))]  # what each module of the path, and whoever imports `start`, imports yet
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
