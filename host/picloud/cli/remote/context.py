"""The context of commands that use the API: server, token and app."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tomllib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from picloud.cli.excerpt import excerpt
from picloud.cli.exits import DOES_NOT_PARSE, NOT_ALLOWED, NOT_FOUND, Failure, wrong_use
from picloud.cli.remote import credentials
from picloud.cli.remote.address import DEFAULT, is_safe, normalise
from picloud.cli.remote.client import ApiError, Client, Json, connect

PROJECT = "picloud.toml"


@dataclass(frozen=True, slots=True)
class Target:
    """The server a command uses.

    Attributes:
        url: the normalized URL of the server.
        token: the token, or None.
    """

    url: str
    token: str | None


@dataclass(slots=True)
class Context:
    """The context of a running command.

    Attributes:
        client: the client of the server.
        arguments: the command line arguments.
        source: name and source of the script being sent, so that errors can show the line.
    """

    client: Client
    arguments: argparse.Namespace
    source: tuple[str, str] | None = None

    @property
    def json(self) -> bool:
        """Whether the output is for programs."""
        return bool(self.arguments.json)

    @property
    def app(self) -> str:
        """Id or slug of the app: `--app`, PICLOUD_APP, or the picloud.toml of this folder."""
        app = self.arguments.app or os.environ.get("PICLOUD_APP") or app_of_folder()
        if not app and Path(PROJECT).exists():
            raise wrong_use(
                f"no app given: {PROJECT} in this folder has no app or is not valid TOML; use --app SLUG"
            )
        if not app:
            raise wrong_use(
                f"no app given; use --app SLUG, set PICLOUD_APP, or change to a folder with a {PROJECT}"
            )
        return str(app)

    async def script_id(self, name: str) -> str:
        """Return the id of a script, given by its name or id."""
        if _is_id(name):
            return name
        for script in await self.client.items("apps/{app}/scripts", app=self.app):
            if script["name"] == name:
                return str(script["id"])
        raise Failure(f"script {name!r} not found in app {self.app}", NOT_FOUND, "not_found")

    async def user_id(self, name: str) -> str:
        """Return the id of a user, given by username or id."""
        return str((await self.client.call("GET", "users/{user}", user=name))["id"])

    async def read_source(self, file: str) -> str:
        """Read the source of a script from a path, or from standard input for `-`."""
        text = read_text(file)
        self.source = ("<stdin>" if file == "-" else file, text)
        return text


def add_options(parser: argparse.ArgumentParser, app: bool = False) -> None:
    """Add the options of all commands that use the API; `app` adds `--app`."""
    if app:
        parser.add_argument(
            "--app", metavar="SLUG", help="the app (default: PICLOUD_APP, or ./picloud.toml's)"
        )
    parser.add_argument("--url", help="the server (default: PICLOUD_URL, or that of the last login)")
    parser.add_argument(
        "--insecure", action="store_true", help="send the key over plain http to another machine"
    )
    parser.add_argument("--json", action="store_true", help="print the JSON of the API, for programs")


def command(work: Callable[[Context], Awaitable[int]]) -> Callable[[argparse.Namespace], int]:
    """Create the main function of a command that requires a login.

    Args:
        work: runs the command and returns the exit code.
    """

    def main(arguments: argparse.Namespace) -> int:
        target = find_target(arguments)
        if target.token is None:
            raise Failure(
                f"not logged in to {target.url}; run picloud login {target.url}",
                NOT_ALLOWED,
                "unauthenticated",
            )
        return asyncio.run(_run(target, arguments, work))

    return main


async def _run(
    target: Target, arguments: argparse.Namespace, work: Callable[[Context], Awaitable[int]]
) -> int:
    async with connect(target.url, target.token) as client:
        context = Context(client, arguments)
        try:
            return await work(context)
        except ApiError as refused:
            if refused.exit_code == DOES_NOT_PARSE and context.source is not None and not context.json:
                raise Failure(parse_error(refused, *context.source), DOES_NOT_PARSE, refused.code) from None
            raise


def find_target(arguments: argparse.Namespace, url: str | None = None) -> Target:
    """Find the server and token: options over environment over stored logins.

    Args:
        arguments: with `url` and `insecure`.
        url: an explicit address.

    Raises:
        Failure: the address is invalid, or the token would be sent unencrypted over a network.
    """
    kept = credentials.read()
    given = url or arguments.url or os.environ.get("PICLOUD_URL") or kept.default or DEFAULT
    address = normalise(given)
    if not is_safe(address) and not arguments.insecure:
        raise wrong_use(
            f"{address} is plain http to another machine: others on the network could read the token; use "
            "https, or --insecure on a trusted network"
        )
    login = kept.logins.get(address)
    return Target(address, os.environ.get("PICLOUD_TOKEN") or (login.key if login else None))


def read_text(file: str) -> str:
    """Read a UTF-8 file, or standard input for `-`; a byte order mark is skipped.

    Raises:
        Failure: the file cannot be read, or is not UTF-8.
    """
    try:
        return (sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()).decode("utf-8-sig")
    except OSError as error:
        raise wrong_use(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise wrong_use(f"{file} is not UTF-8 (byte {error.start})") from error


@dataclass(frozen=True, slots=True)
class _SourcePosition:
    message: str
    line: int | None
    column: int | None
    module: str | None


def parse_error(refused: ApiError, name: str, source: str) -> str:
    """Format a parse error with its line.

    Args:
        refused: the server's error, with `line`, `column` and `message` in its details.
        name: name of the file.
        source: source of the script.
    """
    details: Json = refused.details
    place = _SourcePosition(
        str(details.get("message") or refused.error.get("message")),
        details.get("line"),
        details.get("column"),
        details.get("module"),
    )
    return excerpt(place, name, source)


def app_of_folder() -> str | None:
    """Return the slug in the picloud.toml of this folder, or None."""
    try:
        document = tomllib.loads(Path(PROJECT).read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None
    app = document.get("app")
    slug = app.get("slug") if isinstance(app, dict) else None
    return slug if isinstance(slug, str) else None


def _is_id(text: str) -> bool:
    if len(text) != 36:
        return False
    try:
        UUID(text)
    except ValueError:
        return False
    return True
