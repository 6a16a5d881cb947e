"""`picloud password`: change your own password."""

from __future__ import annotations

import argparse
import asyncio

from picloud.cli.commands import Commands
from picloud.cli.exits import DONE
from picloud.cli.prompt import ask_secret
from picloud.cli.remote import credentials
from picloud.cli.remote.context import add_options, find_target
from picloud.cli.remote.login import ask_username
from picloud.cli.remote.output import print_json
from picloud.cli.remote.temporary_session import session


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "password",
        help="change your password",
        description="Change your password. This ends your other sessions, but not your API keys. "
        "The current and the new password are prompted for at a terminal; otherwise they are the first two "
        "lines of standard input.",
    )
    parser.add_argument("address", nargs="?", metavar="URL", help="the server (default: the last login)")
    parser.add_argument("--username", metavar="NAME", help="default: that of the login")
    add_options(parser)
    parser.set_defaults(main=_password)


def _password(arguments: argparse.Namespace) -> int:
    url = find_target(arguments, arguments.address).url
    login = credentials.read().logins.get(url)
    username = arguments.username or (login.username if login else ask_username())
    current = ask_secret(f"Password of {username}:")
    new = ask_secret("New password:", "Repeat the password:")
    asyncio.run(_change(url, username, current, new))
    if arguments.json:
        print_json({"url": url, "username": username})
    else:
        print(f"changed the password of {username}; other sessions have ended")
    return DONE


async def _change(url: str, username: str, current: str, new: str) -> None:
    async with session(url, username, current) as opened:
        await opened.client.call("POST", "auth/password", {"current": current, "password": new})
