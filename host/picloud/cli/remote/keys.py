"""`picloud keys`."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from picloud.cli.exits import wrong_use
from picloud.cli.remote.client import Json
from picloud.cli.remote.context import Context
from picloud.cli.remote.output import cell, column, moment
from picloud.cli.remote.resource import Noun, Verb, in_body, in_path, in_query, user
from picloud.cli.terminal import paint
from picloud.identity.capabilities import SCOPES

_SPAN = re.compile(r"(\d{1,6})([hdw])", re.ASCII)
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


async def _app_id(context: Context, slug: str) -> Any:
    return (await context.client.call("GET", "apps/{app}", app=slug))["id"]


async def _key(context: Context, name: str) -> Any:
    """Return the id of one of your keys, given by name, prefix or id."""
    found = [
        key["id"] for key in await context.client.items("api-keys") if name in (key["name"], key["prefix"])
    ]
    if len(found) > 1:
        raise wrong_use(f"{len(found)} keys have the name {name!r}; use a prefix or id")
    return found[0] if found else name


async def expiry(_context: Context, text: str) -> str:
    """Parse the expiry of a key: `30d`, `12h`, `2w`, or a time in ISO 8601."""
    span = _SPAN.fullmatch(text)
    try:
        if span:
            at = datetime.now(UTC) + timedelta(**{_UNITS[span[2]]: int(span[1])})
        else:
            at = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong_use(
            f"invalid --expires {text!r}; use 30d, 12h, 2w or a time such as 2027-01-31T12:00"
        ) from None
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _scopes(scopes: list[str]) -> str:
    """Format scopes in a short form."""
    missing = [scope for scope in SCOPES if scope not in scopes]
    if len(missing) > 1 or not scopes:
        return cell(scopes)
    return f"all but {missing[0]}" if missing else "all"


def _shown_once(_context: Context, answer: Json) -> None:
    note = f"This is the only time the key is shown. Its scopes: {_scopes(answer['scopes'])}."
    print(paint(note, "2", sys.stderr), file=sys.stderr)
    print(answer["key"])


NOUN = Noun(
    "keys",
    "API keys, for programs",
    (
        Verb(
            name="list",
            help="list your keys",
            path="api-keys",
            arguments=(in_query("--user", "keys of another user", "user_id", user),),
            columns=(
                column("name"),
                column("prefix"),
                column("scopes", shown=_scopes),
                column("app_id", "only for"),
                column("expires_at", "expires", moment),
                column("last_used_at", "last used", moment),
                column("id"),
            ),
            in_app=False,
        ),
        Verb(
            name="create",
            help="create a key and print it to standard output; it is shown only once",
            method="POST",
            path="api-keys",
            arguments=(
                in_body("name", "description"),
                in_body(
                    "--scope",
                    "scope of the key; repeat for more",
                    "scopes",
                    action="append",
                    choices=SCOPES,
                    required=True,
                ),
                in_body("--only-for", "restrict the key to this app", "app_id", _app_id, metavar="APP"),
                in_body("--expires", "30d, 12h, 2w or a time", "expires_at", expiry, metavar="WHEN"),
            ),
            show=_shown_once,
            in_app=False,
        ),
        Verb(
            name="revoke",
            help="revoke a key",
            method="DELETE",
            path="api-keys/{key}",
            arguments=(in_path("key", "name, prefix or id", read=_key),),
            destroys="revokes the key {key}",
            success="revoked key {given_key}",
            in_app=False,
        ),
    ),
)
add = NOUN.add
