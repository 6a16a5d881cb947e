"""`picloud members`."""

from __future__ import annotations

from picloud.cli.remote.output import column, moment
from picloud.cli.remote.resource import Noun, Verb, in_body, in_path
from picloud.identity.capabilities import APP_ROLES

_USER = in_path("user", "name or id")
_ROLE = in_body("role", "role in the app", choices=APP_ROLES)


NOUN = Noun(
    "members",
    "members of an app",
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
            help="add a user to an app",
            method="PUT",
            path="apps/{app}/members/{user}",
            arguments=(_USER, _ROLE),
            success="added {username} as {role}",
        ),
        Verb(
            name="change",
            help="change the role of a member",
            method="PATCH",
            path="apps/{app}/members/{user}",
            arguments=(_USER, _ROLE),
            success="changed the role of {username} to {role}",
        ),
        Verb(
            name="remove",
            help="remove a member from an app",
            method="DELETE",
            path="apps/{app}/members/{user}",
            arguments=(_USER,),
            destroys="removes {user} from the app",
            success="removed {given_user} from the app",
        ),
    ),
)
add = NOUN.add
