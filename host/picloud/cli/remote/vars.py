"""`picloud vars`."""

from __future__ import annotations

from picloud.cli.remote.client import Json
from picloud.cli.remote.context import Context, read_text
from picloud.cli.remote.output import column, moment
from picloud.cli.remote.resource import Noun, Verb, in_body, in_path

_NAME = in_path("name", "name of the variable, such as API_URL", "variable")
_VARIABLE = "apps/{app}/vars/{variable}"


async def _value(_context: Context, text: str) -> str:
    return read_text("-").removesuffix("\n") if text == "-" else text


def _show(_context: Context, answer: Json) -> None:
    """Print only the value, so that it can be piped to another program."""
    print(answer["value"])


NOUN = Noun(
    "vars",
    "variables: the configuration that an app's scripts read",
    (
        Verb(
            name="list",
            help="list the variables of an app",
            path="apps/{app}/vars",
            columns=(column("name"), column("value"), column("updated_at", "changed", moment)),
        ),
        Verb(
            name="get", help="print the value of a variable", path=_VARIABLE, arguments=(_NAME,), show=_show
        ),
        Verb(
            name="set",
            help="set a variable",
            method="PUT",
            path=_VARIABLE,
            arguments=(
                _NAME,
                in_body(
                    "value",
                    "a string, or - to read it from standard input, without its last newline",
                    "value",
                    _value,
                ),
            ),
            success="set {name}",
        ),
        Verb(
            name="delete",
            help="delete a variable",
            method="DELETE",
            path=_VARIABLE,
            arguments=(_NAME,),
            destroys="deletes the variable {name}: scripts that read it get an error",
            success="deleted {given_name}",
        ),
    ),
)
add = NOUN.add
