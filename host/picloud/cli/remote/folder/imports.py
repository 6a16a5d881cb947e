"""Checks that the imports of a folder's scripts exist after a push."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from picloud.cli.exits import CONFLICT, Failure
from picloud.cli.remote.client import Client
from picloud.cli.remote.folder.model import Project, Remote
from picloud.cli.remote.folder.plan import Step
from picloud.cli.terminal import plain

Imports = Mapping[str, Sequence[str]]
"""Script name -> its literal imports, for the scripts that are saved."""


def missing(project: Project, remote: Remote, steps: Sequence[Step], imports: Imports) -> list[str]:
    """Return a message for each import of a module that will not exist; such a script can be saved.

    Args:
        project: the desired state.
        remote: the current state of the server.
        steps: the steps of the plan.
        imports: imports of the scripts that are saved.
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


async def reject_deletions(client: Client, remote: Remote, steps: Sequence[Step], imports: Imports) -> None:
    """Reject the deletion of modules that remaining scripts import.

    Args:
        client: the client of the server.
        remote: the current state of the server.
        steps: the steps of the plan.
        imports: imports of the scripts that are saved.

    Raises:
        Failure: a module is still imported; lists the importers.
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
                f"{', '.join(map(plain, sorted(stay)))}; use --force to delete it anyway",
                CONFLICT,
                "conflict",
            )


def _gone(steps: Sequence[Step]) -> set[str]:
    return {step.name for step in steps if step.noun == "script" and step.verb == "delete"}
