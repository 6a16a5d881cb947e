"""`picloud apps`."""

from __future__ import annotations

from picloud.cli.remote.client import Json
from picloud.cli.remote.context import Context
from picloud.cli.remote.output import column, moment, print_table
from picloud.cli.remote.resource import FORCE, Noun, Verb, in_body, in_path

_APP = in_path("app", "slug or id")


def _name_it(_context: Context, body: Json) -> None:
    body.setdefault("name", body["slug"])


def _show_usage(_context: Context, answer: Json) -> None:
    columns = (
        column("store"),
        column("rows"),
        column("rows_limit", "of"),
        column("bytes"),
        column("bytes_limit", "of"),
    )
    print_table(columns, answer["items"], "nothing here")


NOUN = Noun(
    "apps",
    "apps, each with its own scripts, routes and domains",
    (
        Verb(
            name="list",
            help="list your apps",
            path="apps",
            columns=(
                column("slug"),
                column("name"),
                column("my_role", "your role"),
                column("created_at", "created", moment),
            ),
            in_app=False,
        ),
        Verb(
            name="create",
            help="create an app",
            method="POST",
            path="apps",
            arguments=(
                in_body("slug", "slug: lowercase letters, digits and hyphens"),
                in_body("--name", "display name (default: the slug)"),
                in_body("--description", "description"),
                in_body("--takeover", "use a slug that another app had before", action="store_true"),
            ),
            finish=_name_it,
            success="created app {slug}",
            in_app=False,
        ),
        Verb(name="show", help="show an app", path="apps/{app}", arguments=(_APP,), in_app=False),
        Verb(
            name="usage",
            help="show the storage usage and quotas of an app",
            path="apps/{app}/usage",
            arguments=(_APP,),
            show=_show_usage,
            in_app=False,
        ),
        Verb(
            name="update",
            help="rename or describe an app",
            method="PATCH",
            path="apps/{app}",
            arguments=(
                _APP,
                in_body("--slug", "new slug; the old one keeps working"),
                in_body("--name", "new name"),
                in_body("--description", "new description"),
                in_body("--takeover", "use a slug that another app had before", action="store_true"),
            ),
            success="updated app {slug}",
            in_app=False,
        ),
        Verb(
            name="delete",
            help="delete an app",
            method="DELETE",
            path="apps/{app}",
            arguments=(_APP, FORCE),
            destroys="deletes the app {app}",
            success="deleted app {app}",
            in_app=False,
        ),
    ),
)
add = NOUN.add
