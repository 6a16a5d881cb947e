"""`picloud sessions`: lists and ends your sessions. Requires your password; an API key is not enough."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable

from picloud.cli.commands import Commands
from picloud.cli.exits import DONE, wrong_use
from picloud.cli.prompt import ask_secret, confirm_by_name
from picloud.cli.remote import credentials
from picloud.cli.remote.client import Json
from picloud.cli.remote.context import add_options, find_target
from picloud.cli.remote.login import ask_username
from picloud.cli.remote.output import column, moment, print_json, print_table
from picloud.cli.remote.temporary_session import TemporarySession, session

_ASKED = (
    "This requires your password; an API key is not enough. It is prompted for at a terminal; otherwise it "
    "is the first line of standard input. The command's own temporary session is left out."
)
_COLUMNS = (
    column("id"),
    column("address", "from"),
    column("user_agent", "by"),
    column("created_at", "began", moment),
    column("last_seen_at", "last used", moment),
    column("expires_at", "ends", moment),
)


def add(commands: Commands) -> None:
    """Add the commands to the command line."""
    about = "your sessions"
    verbs = commands.add_parser("sessions", help=about, description=f"{about.capitalize()}.").add_subparsers(
        dest="verb", metavar="VERB", required=True
    )
    listing = verbs.add_parser("list", help="list your sessions", description=f"List your sessions. {_ASKED}")
    _add_options(listing)
    listing.set_defaults(main=_command(_list))

    revoke = verbs.add_parser("revoke", help="end sessions", description=f"End your sessions. {_ASKED}")
    revoke.add_argument("sessions", nargs="*", metavar="SESSION", help="id of the session")
    revoke.add_argument("--all", action="store_true", help="end all sessions")
    revoke.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    _add_options(revoke)
    revoke.set_defaults(main=_revoke)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--username", metavar="NAME", help="default: that of the login")
    add_options(parser)


def _command(
    work: Callable[[TemporarySession, argparse.Namespace], Awaitable[int]],
) -> Callable[[argparse.Namespace], int]:
    """Create the main function of a command that runs in a temporary session."""

    def main(arguments: argparse.Namespace) -> int:
        url = find_target(arguments).url
        login = credentials.read().logins.get(url)
        username = arguments.username or (login.username if login else ask_username())
        password = ask_secret(f"Password of {username}:")

        async def run() -> int:
            async with session(url, username, password) as opened:
                return await work(opened, arguments)

        return asyncio.run(run())

    return main


async def _others(opened: TemporarySession) -> list[Json]:
    return [one for one in await opened.client.items("auth/sessions") if not one["is_current"]]


async def _list(opened: TemporarySession, arguments: argparse.Namespace) -> int:
    found = await _others(opened)
    if arguments.json:
        print_json(found)
    else:
        print_table(_COLUMNS, found, "no sessions")
    return DONE


def _revoke(arguments: argparse.Namespace) -> int:
    if bool(arguments.sessions) == arguments.all:
        raise wrong_use("no session given; use ids of sessions, or --all")
    named = "all" if arguments.all else arguments.sessions[0]
    many = "all your sessions" if arguments.all else f"{len(arguments.sessions)} of your sessions"
    confirm_by_name(f"ends {many}", named, arguments.yes)
    return _command(_end)(arguments)


async def _end(opened: TemporarySession, arguments: argparse.Namespace) -> int:
    ids = [one["id"] for one in await _others(opened)] if arguments.all else arguments.sessions
    for one in ids:
        await opened.client.call("DELETE", "auth/sessions/{session}", session=one)
    if arguments.json:
        print_json({"revoked": ids})
    else:
        print(f"ended {len(ids)} session{'' if len(ids) == 1 else 's'}")
    return DONE
