"""`picloud settings`: settings of an app: CORS, and which bodies are recorded."""

from __future__ import annotations

from picloud.cli.exits import wrong_use
from picloud.cli.remote.client import Json
from picloud.cli.remote.context import Context
from picloud.cli.remote.output import print_fields
from picloud.cli.remote.resource import Noun, Verb, in_body, own
from picloud.cli.terminal import paint

_RESET = ("methods", "headers", "expose_headers", "credentials", "max_age_seconds")


_OTHERS = ("record_bodies", "public_errors")


async def _yes(_context: Context, typed: str) -> bool:
    return typed == "yes"


def _cors(context: Context, body: Json) -> None:
    """Move the values of CORS into the `cors` field of the request body."""
    typed = context.arguments
    others = {name: body.pop(name) for name in _OTHERS if name in body}
    cors = {**dict.fromkeys(typed.given_reset or ()), **body}
    body.clear()
    if typed.given_no_cors:
        if cors:
            raise wrong_use("--no-cors removes all CORS settings; use it alone")
        body["cors"] = None
    elif cors:
        body["cors"] = cors
    body.update(others)


def _show(_context: Context, answer: Json) -> None:
    if answer["cors"] is None:
        print(paint("no CORS settings: pages of other origins cannot read the app's responses", "2"))
    else:
        print_fields(answer["cors"])
    print_fields({name: answer[name] for name in _OTHERS})


NOUN = Noun(
    "settings",
    "settings of an app: access for pages of other origins (CORS), recorded bodies",
    (
        Verb(name="show", help="show the settings of an app", path="apps/{app}/settings", show=_show),
        Verb(
            name="update",
            help="change settings of an app",
            method="PATCH",
            path="apps/{app}/settings",
            arguments=(
                in_body(
                    "--origin",
                    "an origin such as https://shop.example.com, or '*'; repeat it for more",
                    "origins",
                    action="append",
                ),
                in_body(
                    "--method",
                    "allowed method, or '*'; can be repeated",
                    "methods",
                    action="append",
                ),
                in_body(
                    "--header",
                    "allowed request header, or '*'; can be repeated",
                    "headers",
                    action="append",
                ),
                in_body(
                    "--expose",
                    "response header that pages can read, or '*'; can be repeated",
                    "expose_headers",
                    action="append",
                    metavar="HEADER",
                ),
                in_body(
                    "--credentials",
                    "allow cookies and Authorization",
                    read=_yes,
                    choices=("yes", "no"),
                ),
                in_body(
                    "--max-age",
                    "how long browsers cache the preflight response",
                    "max_age_seconds",
                    type=int,
                    metavar="SECONDS",
                ),
                in_body(
                    "--record-bodies",
                    "which bodies of requests and responses the execution log keeps",
                    choices=("none", "errors", "all"),
                ),
                in_body(
                    "--public-errors",
                    "give anonymous callers the messages of errors that scripts do not catch",
                    read=_yes,
                    choices=("yes", "no"),
                ),
                own("--reset", "reset to the default; can be repeated", action="append", choices=_RESET),
                own("--no-cors", "remove all CORS settings", action="store_true"),
            ),
            finish=_cors,
            show=_show,
        ),
    ),
)
add = NOUN.add
