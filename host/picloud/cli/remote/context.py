"""What every command over the API begins with: which server, as whom, in which app."""

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
    """Where a command goes.

    Attributes:
        url: of the server, normalised.
        token: the credential, or None.
    """

    url: str
    token: str | None


@dataclass(slots=True)
class Context:
    """A command at work.

    Attributes:
        client: calls the server.
        arguments: of the command line.
        source: name and text of the script that is being sent, so that errors can show their line.
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
            raise wrong_use(f"which app? {PROJECT} here names no app or is not valid TOML; give --app SLUG")
        if not app:
            raise wrong_use(
                f"which app? Give --app SLUG, set PICLOUD_APP, or go to a folder with a {PROJECT}"
            )
        return str(app)

    async def script_id(self, name: str) -> str:
        """The id of a script. Args: name: its name in the app, or its id."""
        if _is_id(name):
            return name
        for script in await self.client.items("apps/{app}/scripts", app=self.app):
            if script["name"] == name:
                return str(script["id"])
        raise Failure(f"the app {self.app} has no script {name!r}", NOT_FOUND, "not_found")

    async def user_id(self, name: str) -> str:
        """The id of a user. Args: name: their name in any case, or their id."""
        return str((await self.client.call("GET", "users/{user}", user=name))["id"])

    async def read_source(self, file: str) -> str:
        """The text of a script. Args: file: its path, or `-` for standard input."""
        text = read_text(file)
        self.source = ("<stdin>" if file == "-" else file, text)
        return text


def add_options(parser: argparse.ArgumentParser, app: bool = False) -> None:
    """Add the options that all commands over the API have.

    Args:
        parser: of the command.
        app: it happens in an app.
    """
    if app:
        parser.add_argument(
            "--app", metavar="SLUG", help="the app (default: PICLOUD_APP, or ./picloud.toml's)"
        )
    parser.add_argument("--url", help="the server (default: PICLOUD_URL, or that of the last login)")
    parser.add_argument(
        "--insecure", action="store_true", help="send the key over plain http to another machine"
    )
    parser.add_argument("--json", action="store_true", help="the API's JSON, for programs")


def command(work: Callable[[Context], Awaitable[int]]) -> Callable[[argparse.Namespace], int]:
    """Create a command's main function from the work it does on a logged-in server.

    Args:
        work: does the work and returns the exit code.
    """

    def main(arguments: argparse.Namespace) -> int:
        target = find_target(arguments)
        if target.token is None:
            raise Failure(
                f"not logged in to {target.url}: picloud login {target.url}", NOT_ALLOWED, "unauthenticated"
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
    """Find the server and the credential: options over environment over the file of logins.

    Args:
        arguments: with `url` and `insecure`.
        url: an explicit address.

    Raises:
        Failure: the address is none, or the credential would cross a network in the clear.
    """
    kept = credentials.read()
    given = url or arguments.url or os.environ.get("PICLOUD_URL") or kept.default or DEFAULT
    address = normalise(given)
    if not is_safe(address) and not arguments.insecure:
        raise wrong_use(
            f"{address} is plain http to another machine: anyone in between can read the credential. "
            "Use https, or --insecure if the network between is yours"
        )
    login = kept.logins.get(address)
    return Target(address, os.environ.get("PICLOUD_TOKEN") or (login.key if login else None))


def read_text(file: str) -> str:
    """Read a file of UTF-8 text. Args: file: its path, or `-` for standard input.

    Raises:
        Failure: it cannot be read, or is something else.
    """
    try:
        return (sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()).decode()
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
    """A parse error with the line it is on.

    Args:
        refused: the server's error, with `line`, `column` and `message` in its details.
        name: of the file.
        source: of the script.
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
    """The slug that the picloud.toml of this folder has, or None."""
    try:
        document = tomllib.loads(Path(PROJECT).read_text("utf-8"))
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
