"""`picloud migrate` and `picloud admin`: work without HTTP."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable

from picloud.cli import configuration
from picloud.cli.commands import Commands
from picloud.cli.database import database
from picloud.core.errors import Invalid
from picloud.core.generations import Generations
from picloud.db.changes import ChangeNotifier
from picloud.db.migrate import migrate
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database
from picloud.identity.account import ROLES, check_username
from picloud.identity.accounts import Accounts
from picloud.identity.actor import Actor
from picloud.identity.passwords import Passwords, check_password
from picloud.services.files.folder import FolderStore, files_folder
from picloud.services.files.sweep import delete_missing


def add(commands: Commands) -> None:
    """Add the commands to the command line."""
    parser = commands.add_parser("migrate", help="migrate the database schema (serve does this too)")
    configuration.add_options(parser, "data_dir")
    parser.set_defaults(main=_migrate)

    parser = commands.add_parser("admin", help="create users, reset passwords and repair, without HTTP")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    how = "The password is prompted for at a terminal; otherwise it is the first line of standard input."
    create = actions.add_parser("create", help="create a user", description=f"Create a user. {how}")
    create.add_argument("name")
    create.add_argument("--role", choices=ROLES, default="owner", help="instance role (default: owner)")
    create.set_defaults(main=_create)
    reset = actions.add_parser(
        "reset-password",
        help="set a user's password",
        description=f"Set a new password for a user and end their sessions. {how}",
    )
    reset.add_argument("name")
    reset.set_defaults(main=_reset_password)
    missing = actions.add_parser(
        "delete-missing-files",
        help="delete the files whose bytes are missing",
        description="Delete the files of all apps whose bytes are missing in the data folder, when the "
        "folder `files` was lost and cannot be restored.",
    )
    missing.set_defaults(main=_delete_missing_files)
    for action in (create, reset, missing):
        configuration.add_options(action, "data_dir")


def _migrate(arguments: argparse.Namespace) -> int:
    with database(configuration.read(arguments).settings) as parameters:
        applied = asyncio.run(migrate(parameters))
    for name in applied:
        print(f"applied {name}")
    if not applied:
        print("the schema is up to date")
    return 0


def _create(arguments: argparse.Namespace) -> int:
    check_username(arguments.name)
    password = _ask_password()

    async def create(users: Accounts) -> None:
        await users.create(arguments.name, password, arguments.role, Actor.console("user.create"))

    _with_users(arguments, create)
    print(f"created {arguments.role} {arguments.name}")
    return 0


def _reset_password(arguments: argparse.Namespace) -> int:
    password = _ask_password()

    async def reset(users: Accounts) -> None:
        await users.update(arguments.name, {"password": password}, Actor.console("user.update"))

    _with_users(arguments, reset)
    print(f"changed the password of {arguments.name} and ended all their sessions")
    return 0


def _delete_missing_files(arguments: argparse.Namespace) -> int:
    settings = configuration.read(arguments).settings

    async def delete(parameters: ConnectionParameters) -> int:
        await migrate(parameters)
        pool = await Database.open(parameters, 2)
        FolderStore.prepare(files_folder(settings))
        store = FolderStore(files_folder(settings))
        try:
            return await delete_missing(pool, store)
        finally:
            store.close()
            await pool.close()

    with database(settings) as parameters:
        print(f"deleted {asyncio.run(delete(parameters))} files whose bytes were missing")
    return 0


def _with_users(arguments: argparse.Namespace, work: Callable[[Accounts], Awaitable[None]]) -> None:
    async def connected(parameters: ConnectionParameters) -> None:
        await migrate(parameters)
        pool = await Database.open(parameters, 2)
        try:
            # Counters of this process only: a running server gets the change by NOTIFY.
            await work(Accounts(pool, ChangeNotifier(pool, Generations()), Passwords()))
        finally:
            await pool.close()

    with database(configuration.read(arguments).settings) as parameters:
        asyncio.run(connected(parameters))


def _ask_password() -> str:
    """Read the new password; never from the command line, where other users could read it.

    Raises:
        Invalid: it is too short or too long, or the two entries differ.
    """
    if not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\r\n")
        check_password(password)
        return password
    password = getpass.getpass("New password: ")
    check_password(password)
    if getpass.getpass("Repeat the password: ") != password:
        raise Invalid("the passwords do not match")
    return password
