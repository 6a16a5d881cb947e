"""`picloud audit`."""

from __future__ import annotations

from picloud.cli.exits import DONE
from picloud.cli.remote.context import Context
from picloud.cli.remote.output import column, moment, print_json, print_table
from picloud.cli.remote.resource import Noun, Verb, own

_COLUMNS = (
    column("at", shown=moment),
    column("username", "who"),
    column("address", "from"),
    column("action"),
    column("outcome"),
    column("target"),
    column("reason"),
    column("times"),
)


async def _list(context: Context) -> int:
    """Print the audit log of `--app`, or of the instance."""
    typed = context.arguments
    query = {
        "action": typed.given_action,
        "outcome": typed.given_outcome,
        "user_id": await context.user_id(typed.given_user) if typed.given_user else None,
    }
    path, parts = ("apps/{app}/audit", {"app": typed.app}) if typed.app else ("audit", {})
    entries = await context.client.items(path, query, typed.limit or 100, **parts)
    if context.json:
        print_json(entries)
    else:
        print_table(_COLUMNS, entries, "no entries")
    return DONE


NOUN = Noun(
    "audit",
    "the audit log",
    (
        Verb(
            name="list",
            help="list successful and denied writes, newest first: of --app, or of the whole instance",
            arguments=(
                own("--action", "only this action, such as script.update"),
                own("--outcome", "only this outcome", choices=("done", "refused")),
                own("--user", "only this user: name or id"),
            ),
            columns=_COLUMNS,
            run=_list,
        ),
    ),
)
add = NOUN.add
