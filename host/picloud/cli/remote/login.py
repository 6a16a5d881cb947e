"""`picloud login`, `logout` and `whoami`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import socket
import sys

from picloud.cli.commands import Commands
from picloud.cli.exits import DONE, NOT_ALLOWED, Failure, wrong_use
from picloud.cli.prompt import ask, ask_secret
from picloud.cli.remote import credentials
from picloud.cli.remote.client import ApiError, Json, Unreachable, connect
from picloud.cli.remote.context import Context, Target, add_options, command, find_target
from picloud.cli.remote.credentials import SavedLogin
from picloud.cli.remote.output import print_fields, print_json
from picloud.cli.remote.temporary_session import session
from picloud.cli.terminal import fail, plain
from picloud.identity.capabilities import INSTANCE_SCOPES, SCOPES

_SECRETS = "The secret is prompted for at a terminal; otherwise it is the first line of standard input."


def add(commands: Commands) -> None:
    """Add the commands to the command line."""
    login = commands.add_parser(
        "login",
        help="log in to a server and store an API key",
        description=f"Log in with username and password, create an API key, and store it in {_file()}. "
        f"{_SECRETS} Other commands use the server of the last login.",
    )
    login.add_argument(
        "address", nargs="?", metavar="URL", help="the server (default: http://localhost:8123)"
    )
    login.add_argument("--username", metavar="NAME", help="prompted for if not given")
    login.add_argument("--token", action="store_true", help="store an existing key instead of creating one")
    add_options(login)
    login.set_defaults(main=_login)

    logout = commands.add_parser("logout", help="revoke the stored key and delete it")
    logout.add_argument("address", nargs="?", metavar="URL", help="the server (default: the last login)")
    add_options(logout)
    logout.set_defaults(main=_logout)

    whoami = commands.add_parser("whoami", help="show the user of the stored key, and the server")
    add_options(whoami)
    whoami.set_defaults(main=command(_whoami))


def _file() -> str:
    try:
        return str(credentials.path())
    except RuntimeError:  # no home
        return "credentials.toml"


def _login(arguments: argparse.Namespace) -> int:
    target = find_target(arguments, arguments.address)
    # Read the file first: if it is invalid, no key must be created.
    kept = credentials.read()
    if arguments.token:
        login = asyncio.run(_with_key(target.url, ask_secret("Key:")))
    else:
        username = arguments.username or ask_username()
        login = asyncio.run(_with_password(target.url, username, ask_secret("Password:")))
    credentials.write(kept.with_login(target.url, login))
    former = kept.logins.get(target.url)
    if former is not None and former.key != login.key and not arguments.token:
        asyncio.run(_revoke_former(target.url, former))
    if arguments.json:
        print_json({"url": target.url, "username": login.username, "key_id": login.key_id})
    else:
        print(f"logged in to {target.url} as {plain(login.username)}; the key is in {credentials.path()}")
    if "PICLOUD_TOKEN" in os.environ or "PICLOUD_URL" in os.environ:
        fail("PICLOUD_TOKEN or PICLOUD_URL is set and overrides this login")
    return DONE


def ask_username() -> str:
    """Prompt for the username.

    Raises:
        Failure: there is no terminal, or the input is empty.
    """
    username = ask("Username:") if sys.stdin.isatty() else ""
    if not username:
        raise wrong_use("no username given; use --username NAME")
    return username


async def _with_password(url: str, username: str, password: str) -> SavedLogin:
    """Create a key in a temporary session."""
    async with session(url, username, password) as opened:
        who = opened.user
        scopes = [one for one in SCOPES if who["role"] != "member" or one not in INSTANCE_SCOPES]
        key = await opened.client.call("POST", "api-keys", {"name": _key_name(), "scopes": scopes})
    return SavedLogin(key["key"], key["id"], who["username"])


async def _with_key(url: str, key: str) -> SavedLogin:
    if not key.isascii() or not key.isprintable():
        raise wrong_use("invalid API key; paste the whole key")
    async with connect(url, key) as client:
        me = await client.call("GET", "auth/me")
        return SavedLogin(key, str((me.get("key") or {}).get("id", "")), me["username"])


async def _revoke_former(url: str, login: SavedLogin) -> None:
    """Revoke the key of the previous login; ignores errors, as it may already be revoked."""
    async with connect(url, login.key) as client:
        with contextlib.suppress(ApiError, Unreachable):
            await client.call("DELETE", "api-keys/{key}", key=login.key_id)


def _key_name() -> str:
    return f"cli@{socket.gethostname()}"[:100]


def _logout(arguments: argparse.Namespace) -> int:
    kept = credentials.read()
    target = find_target(arguments, arguments.address)
    login = kept.logins.get(target.url)
    if login is None:
        raise Failure(f"not logged in to {target.url}", NOT_ALLOWED, "unauthenticated")
    revoked = asyncio.run(_revoke(Target(target.url, login.key), login))
    credentials.write(kept.without(target.url))
    if arguments.json:
        print_json({"url": target.url, "revoked": revoked})
    elif revoked:
        print(f"logged out of {target.url}; the key is revoked")
    return DONE


async def _revoke(target: Target, login: SavedLogin) -> bool:
    """Revoke the key; if that fails, print a warning, and the login is deleted all the same."""
    async with connect(target.url, target.token) as client:
        try:
            await client.call("DELETE", "api-keys/{key}", key=login.key_id)
        except (ApiError, Unreachable) as error:
            if isinstance(error, ApiError) and error.status in (401, 404):
                return True
            fail(f"the key could not be revoked; it was only deleted on this machine: {error.message}")
            return False
    return True


async def _whoami(context: Context) -> int:
    me = await context.client.call("GET", "auth/me")
    if context.json:
        print_json(me)
    else:
        key: Json = me.get("key") or {}
        shown = {"server": context.client.url, **me, "key": key.get("scopes", "")}
        print_fields(shown)
    return DONE
