"""What the scripts of a folder import: whether it will be there once the folder is pushed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from picloud.cli.exits import CONFLICT, Failure
from picloud.cli.remote.client import Client
from picloud.cli.remote.folder.model import Project, Remote
from picloud.cli.remote.folder.plan import Step
from picloud.cli.terminal import plain

Imports = Mapping[str, Sequence[str]]
"""Script name -> names that its new source imports literally, of the scripts that are saved."""


def missing(project: Project, remote: Remote, steps: Sequence[Step], imports: Imports) -> list[str]:
    """List imports of modules that will not exist; saving such a script is not an error.

    Args:
        project: the desired state.
        remote: the current state of the server.
        steps: of the plan.
        imports: of the scripts that are saved.

    Returns:
        A line for each.
    """
    gone = _gone(steps)
    kinds = {name: script.kind for name, script in remote.scripts.items() if name not in gone}
    for name, script in project.scripts.items():
        kinds[name] = script.kind or kinds.get(name) or "endpoint"
    lines = []
    for importer, names in sorted(imports.items()):
        for name in names:
            if kinds.get(name) != "module":
                what = "which is not a module" if name in kinds else "which does not exist"
                lines.append(f"{plain(importer)} imports {plain(name)!r}, {what}")
    return lines


async def refuse_taking(client: Client, remote: Remote, steps: Sequence[Step], imports: Imports) -> None:
    """Refuse to delete modules that scripts which stay import.

    Args:
        client: of the server.
        remote: the current state of the server.
        steps: of the plan.
        imports: of the scripts that are saved.

    Raises:
        Failure: there are some; it names them.
    """
    gone = _gone(steps)
    for name in sorted(gone):
        if remote.scripts[name].kind != "module":
            continue
        importers = await client.items("scripts/{id}/imported-by", id=remote.held[name].id)
        stay = {one["name"] for one in importers if one["name"] not in gone and one["name"] not in imports}
        stay |= {script for script, names in imports.items() if name in names}
        if stay:
            raise Failure(
                f"the script {plain(name)} cannot be deleted: it is imported by "
                f"{', '.join(map(plain, sorted(stay)))}; --force deletes it all the same",
                CONFLICT,
                "conflict",
            )


def _gone(steps: Sequence[Step]) -> set[str]:
    return {step.name for step in steps if step.noun == "script" and step.verb == "delete"}
