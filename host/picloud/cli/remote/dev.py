"""`picloud dev`: pushes on save and follows executions."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import urlsplit

from picloud.cli.commands import Commands
from picloud.cli.exits import NOT_ALLOWED, NOT_FOUND, UNREACHABLE, Failure, wrong_use
from picloud.cli.remote.context import PROJECT, Context, command
from picloud.cli.remote.folder import remote_app as server
from picloud.cli.remote.folder.file_names import SUFFIX
from picloud.cli.remote.folder.model import Project, Remote
from picloud.cli.remote.logs import print_all
from picloud.cli.remote.push import add_folder_options, push, summary
from picloud.cli.terminal import fail, paint, plain

_LOOK_SECONDS = 0.2
"""Polling a few files is cheap, and works on every file system."""

Look = dict[Path, tuple[int, int, int]]


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "dev",
        help="push on save and follow the logs",
        description="Push a folder whenever a file in it is saved, show errors with their line, and follow "
        "executions. Press Ctrl-C to stop.",
    )
    add_folder_options(parser)
    parser.set_defaults(main=command(_dev))


async def _dev(context: Context) -> int:
    folder: Path = context.arguments.folder
    if not folder.is_dir():  # a missing picloud.toml may appear later, a missing folder is an error
        raise wrong_use(f"folder {folder} not found")
    dev = Dev(context)
    try:
        while True:
            await dev.look()
            await asyncio.sleep(_LOOK_SECONDS)
    finally:
        await dev.close()


class Dev:
    """Watches a folder and follows the logs of its app."""

    def __init__(self, context: Context) -> None:
        """Create it; the context has the arguments of a push."""
        self._context = context
        self._folder: Path = context.arguments.folder
        self._pushed: Look | None = None
        self._project: Project | None = None
        self._logs: asyncio.Task[None] | None = None
        self._away = False

    async def look(self) -> None:
        """Check the files once, and push if one was saved.

        Raises:
            Failure: the error is permanent: permission denied, or app not found.
        """
        if self._logs is not None and self._logs.done():
            await self._logs
        seen = self._look()
        if seen == self._pushed:
            return
        # Editors write in several steps: wait until the files no longer change.
        await asyncio.sleep(_LOOK_SECONDS)
        if self._look() == seen and await self._push():
            self._pushed = seen

    async def close(self) -> None:
        """Stop following the logs."""
        if self._logs is not None:
            self._logs.cancel()
            await asyncio.gather(self._logs, return_exceptions=True)

    def _look(self) -> Look:
        files = {self._folder / PROJECT, *self._folder.glob(f"*{SUFFIX}")}
        if self._project is not None:
            files |= {self._folder / file for file in self._project.files.values()}
        look = {}
        for file in files:
            try:
                status = file.stat()
            except OSError:
                continue
            look[file] = (status.st_mtime_ns, status.st_size, status.st_ino)
        return look

    async def _push(self) -> bool:
        """Push once. Returns: False to try again."""
        try:
            pushed = await push(self._context)
        except Failure as failure:
            if failure.exit_code in (NOT_ALLOWED, NOT_FOUND):
                raise
            if failure.exit_code != UNREACHABLE:
                fail(failure.message)
                return True
            if not self._away:
                fail(f"{failure.message}; retrying")
            self._away = True
            return False
        self._away = False
        if self._context.json:
            print(json.dumps(pushed.as_json, ensure_ascii=False), flush=True)
        else:
            print(summary(pushed), flush=True)
            if self._project is None or any(step.noun in ("route", "domain") for step in pushed.steps):
                await self._print_urls(pushed.app_id)
        self._project = pushed.project
        if self._logs is None:
            path, parts = "apps/{app}/executions", {"app": pushed.app_id}
            self._logs = asyncio.create_task(print_all(self._context, path, {}, parts, 0, pushed.app_id))
        return True

    async def _print_urls(self, app_id: str) -> None:
        remote = await server.read(self._context.client, app_id)
        for url in urls(self._context.client.url, remote):
            print(paint(f"  {plain(url)}", "2"), flush=True)


def urls(server_url: str, remote: Remote) -> list[str]:
    """Return the URLs of an app's routes, for display.

    Args:
        server_url: URL of the server, for scheme and port.
        remote: the app; a route for any host is listed for each claimed host without a wildcard.
    """
    parts = urlsplit(server_url)
    port = f":{parts.port}" if parts.port else ""
    exact = [domain for domain in sorted(remote.domains) if not domain.startswith("*.")]
    return [
        f"{route.method or 'ANY':<6} {parts.scheme}://{host}{port}{route.path} -> {route.script}"
        for route in sorted(remote.routes, key=lambda route: (route.path, route.method or ""))
        for host in (exact if route.host == "any" else [route.host])
    ]
