"""Checks the limits in a folder before anything is changed."""

from __future__ import annotations

from difflib import get_close_matches

from picloud.cli.exits import wrong_use
from picloud.cli.remote.client import Client
from picloud.cli.remote.context import PROJECT
from picloud.cli.remote.folder.model import Project


async def check(client: Client, wanted: Project) -> None:
    """Check that the server knows the limits, and that they are within its ceilings.

    Raises:
        Failure: a limit is unknown or above its ceiling.
        ApiError, Unreachable: as for `Client.call`.
    """
    asked = {name: script.sandbox for name, script in wanted.scripts.items() if script.sandbox}
    if not asked:
        return
    ceilings = {str(limit["name"]): int(limit["ceiling"]) for limit in await client.items("limits")}
    for script, limits in asked.items():
        for name, value in limits.items():
            place = f"{PROJECT}: scripts.{script}.sandbox.{name}"
            if name not in ceilings:
                near = get_close_matches(name, ceilings, 1) or sorted(ceilings)
                raise wrong_use(f"{place}: unknown limit; did you mean {', '.join(near)}?")
            if value > ceilings[name]:
                raise wrong_use(f"{place}: exceeds the ceiling of this server, {ceilings[name]}")
