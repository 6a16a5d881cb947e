"""`picloud users`."""

from __future__ import annotations

from typing import Any

from picloud.cli.prompt import ask_secret
from picloud.cli.remote.client import Json
from picloud.cli.remote.context import Context
from picloud.cli.remote.output import column, moment
from picloud.cli.remote.resource import Noun, Verb, in_body, in_path, no_value
from picloud.identity.capabilities import INSTANCE_ROLES

_USER = in_path("user", "name or id")
_EMAIL = in_body("--email", "email address; empty to remove it", read=no_value)


async def _on_or_off(_context: Context, typed: str) -> bool:
    return typed == "yes"


async def _new_password(_context: Context, _asked: bool) -> Any:
    return ask_secret("New password:", "Repeat the password:")


def _password(_context: Context, body: Json) -> None:
    body["password"] = ask_secret("Password of the new user:", "Repeat the password:")


NOUN = Noun(
    "users",
    "users of the instance",
    (
        Verb(
            name="list",
            help="list users",
            path="users",
            columns=(
                column("username"),
                column("role"),
                column("is_active", "active"),
                column("email"),
                column("last_login_at", "last login", moment),
                column("id"),
            ),
            in_app=False,
        ),
        Verb(
            name="create",
            help="create a user; the password is prompted for, or read from standard input",
            method="POST",
            path="users",
            arguments=(
                in_body("username", "name for login"),
                in_body(
                    "--role", "member (default), admin or owner", choices=INSTANCE_ROLES, default="member"
                ),
                _EMAIL,
            ),
            finish=_password,
            success="created {role} {username}",
            in_app=False,
        ),
        Verb(
            name="update",
            help="change a user",
            method="PATCH",
            path="users/{user}",
            arguments=(
                _USER,
                in_body("--username", "new name"),
                in_body("--role", "new role in the instance", choices=INSTANCE_ROLES),
                _EMAIL,
                in_body(
                    "--active",
                    "no ends their sessions and keys at once",
                    "is_active",
                    _on_or_off,
                    choices=("yes", "no"),
                ),
                in_body("--password", "prompt for a new password", read=_new_password, action="store_true"),
            ),
            success="updated user {username}",
            in_app=False,
        ),
        Verb(
            name="delete",
            help="delete a user",
            method="DELETE",
            path="users/{user}",
            arguments=(_USER,),
            destroys="deletes the user {user}",
            success="deleted user {given_user}",
            in_app=False,
        ),
    ),
)
add = NOUN.add
