"""`picloud members`."""

from __future__ import annotations

from typing import Any

from picloud.cli.exits import NOT_ALLOWED, Failure
from picloud.cli.remote.client import Refused
from picloud.cli.remote.context import Context
from picloud.cli.remote.noun import Noun, Verb, in_body, in_path, user
from picloud.cli.remote.output import column, moment
from picloud.identity.capabilities import APP_ROLES

_ROLE = in_body("role", "what they may do in the app", choices=APP_ROLES)


async def _member(context: Context, name: str) -> Any:
    """The id of a member, given as name or id; the app's admins can see no other users."""
    for member in await context.client.items("apps/{app}/members", app=context.app):
        if member["username"].casefold() == name.casefold():
            return member["user_id"]
    return await _anyone(context, name)


async def _anyone(context: Context, name: str) -> str:
    try:
        return await user(context, name)
    except Refused as refused:
        if refused.exit_code != NOT_ALLOWED:
            raise
        raise Failure(
            f"you may not look {name!r} up among the users; give their id", NOT_ALLOWED, refused.code
        ) from None


NOUN = Noun(
    "members",
    "who works on an app",
    (
        Verb(
            name="list",
            help="list the members of an app",
            path="apps/{app}/members",
            columns=(
                column("username"),
                column("role"),
                column("created_at", "since", moment),
                column("user_id", "id"),
            ),
        ),
        Verb(
            name="add",
            help="let a user work on an app",
            method="PUT",
            path="apps/{app}/members/{user}",
            arguments=(in_path("user", "name or id", read=_anyone), _ROLE),
            said="{username} is {role}",
        ),
        Verb(
            name="change",
            help="change what a member may do",
            method="PATCH",
            path="apps/{app}/members/{user}",
            arguments=(in_path("user", "name or id", read=_member), _ROLE),
            said="{username} is {role}",
        ),
        Verb(
            name="remove",
            help="let a user work on an app no longer",
            method="DELETE",
            path="apps/{app}/members/{user}",
            arguments=(in_path("user", "name or id", read=_member),),
            destroys="takes {user} out of the app",
            said="{given_user} is no member any more",
        ),
    ),
)
add = NOUN.add
