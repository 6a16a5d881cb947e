"""`picloud scripts`."""

from __future__ import annotations

import sys

from picloud.cli.exits import DONE, FAILED, wrong_use
from picloud.cli.remote.client import Json, fill
from picloud.cli.remote.context import Context
from picloud.cli.remote.output import cell, column, moment, print_fields, print_json, print_table
from picloud.cli.remote.resource import FORCE, MESSAGE, Noun, Verb, in_body, in_path, in_query, own, script
from picloud.cli.terminal import paint, plain
from picloud.core.numbers import NotAnInteger, read_integer

_SCRIPT = in_path("script", "name or id", read=script)
_SECONDS_TO_EXECUTE = 330
"""The largest `timeout_seconds` of a script, and some time for the response."""


async def _source(context: Context, file: str) -> str:
    return await context.read_source(file)


async def _limits(_context: Context, typed: list[str]) -> dict[str, int | None]:
    """Parse `NAME=N` pairs; `NAME=` removes an override."""
    limits: dict[str, int | None] = {}
    for pair in typed:
        name, equals, value = pair.partition("=")
        try:
            limits[name] = read_integer(value) if value else None
        except NotAnInteger:
            equals = ""
        if not equals:
            raise wrong_use(f"invalid --limit-to {pair!r}; use NAME=NUMBER")
    return limits


async def _rule(_context: Context, typed: str) -> str | None:
    return None if typed == "app" else typed


_FIELDS = (
    in_body("--kind", "kind of script", choices=("endpoint", "module")),
    in_body("--description", "description"),
    in_body(
        "--limit-to",
        "limit of the script, such as max_fuel=1000000; can be repeated",
        "sandbox",
        _limits,
        action="append",
        metavar="NAME=N",
    ),
    in_body(
        "--access", "who can execute it by its id", "execute_access", choices=("open", "members", "routed")
    ),
    in_body(
        "--record-bodies",
        "which bodies of its executions are recorded; app: the setting of the app",
        read=_rule,
        choices=("none", "errors", "all", "app"),
    ),
    MESSAGE,
)


def _show(_context: Context, answer: Json) -> None:
    print_fields(answer, ("source",))
    source = plain(answer["source"], keep="\n\t\r")
    print(f"\n{source}", end="" if source.endswith("\n") else "\n")


def _print_diff(_context: Context, answer: Json) -> None:
    for field, (before, after) in answer["changes"].items():
        print(plain(f"{field}: {before!r} -> {after!r}"))
    colours = {"+": "32", "-": "31", "@": "36"}
    for line in answer["diff"].splitlines():
        print(paint(plain(line, keep="\t"), colours.get(line[:1], "0")))


_IMPORTS = (
    column("name"),
    column("kind"),
    column("version"),
    column("problem"),
    column("script_id", "id"),
)


def _print_imports(_context: Context, answer: Json) -> None:
    print_table(_IMPORTS, answer["items"], "nothing here")


async def _validate(context: Context) -> int:
    typed = context.arguments
    source = await context.read_source(typed.given_file)
    body = {"source": source, "kind": typed.given_kind or "endpoint"}
    answer = await context.client.call("POST", "apps/{app}/scripts:validate", body, app=context.app)
    if context.json:
        print_json(answer)
        return DONE
    print("valid")
    for one in answer["imports"]:
        if one["problem"]:
            print(f"{paint('note', '33')}: import {plain(one['name'])!r}: {plain(one['problem'])}")
    return DONE


async def _execute(context: Context) -> int:
    """Execute a script by its id; the response body goes to standard output unchanged."""
    typed = context.arguments
    script_id = await context.script_id(typed.given_script)
    body, headers = typed.given_body, {}
    if body is not None:
        headers["Content-Type"] = "application/json"
    answer = await context.client.request(
        "POST",
        fill("/api/v1/execute/{script}", script=script_id),
        (body or "").encode(),
        headers,
        seconds=_SECONDS_TO_EXECUTE,
    )
    note = f"{answer.status} {answer.headers.get('X-Execution-Id', '')}"
    print(paint(note.strip(), "2", sys.stderr), file=sys.stderr)
    sys.stdout.buffer.write(answer.body)
    if sys.stdout.isatty() and not answer.body.endswith(b"\n"):
        print()
    return DONE if answer.status < 400 else FAILED


NOUN = Noun(
    "scripts",
    "scripts of an app and their versions",
    (
        Verb(
            name="list",
            help="list the scripts of an app",
            path="apps/{app}/scripts",
            columns=(
                column("name"),
                column("kind"),
                column("version"),
                column("execute_access", "access"),
                column("updated_at", "saved", moment),
                column("id"),
            ),
        ),
        Verb(
            name="create",
            help="create a script from a file",
            method="POST",
            path="apps/{app}/scripts",
            arguments=(
                in_body("name", "its name in the app"),
                in_body("file", "a .rhai file, or - for standard input", "source", _source),
                *_FIELDS,
            ),
            success="created script {name}, version {version}",
        ),
        Verb(
            name="show",
            help="show a script with its source",
            path="scripts/{script}",
            arguments=(_SCRIPT,),
            show=_show,
        ),
        Verb(
            name="update",
            help="save a new version of a script",
            method="PATCH",
            path="scripts/{script}",
            arguments=(
                _SCRIPT,
                in_body("--file", "the new source: a .rhai file, or -", "source", _source),
                in_body("--name", "new name"),
                in_body("--version", "only if it is at this version", type=int),
                *_FIELDS,
                FORCE,
            ),
            success="saved script {name}, version {version}",
        ),
        Verb(
            name="delete",
            help="delete a script with its versions",
            method="DELETE",
            path="scripts/{script}",
            arguments=(_SCRIPT, FORCE),
            destroys="deletes the script {script} with all its versions",
            success="deleted script {given_script}",
        ),
        Verb(
            name="versions",
            help="list the versions of a script",
            path="scripts/{script}/versions",
            arguments=(_SCRIPT,),
            columns=(
                column("version"),
                column("created_at", "saved", moment),
                column("author", shown=lambda author: cell(author and author["username"])),
                column("message"),
            ),
        ),
        Verb(
            name="diff",
            help="show what changed between two versions",
            path="scripts/{script}/diff",
            arguments=(
                _SCRIPT,
                in_query("--from", "older version (default: the one before)", type=int),
                in_query("--to", "newer version (default: the newest)", type=int),
            ),
            show=_print_diff,
        ),
        Verb(
            name="restore",
            help="save an older version again, as the newest",
            method="POST",
            path="scripts/{script}/versions/{version}:restore",
            arguments=(_SCRIPT, in_path("version", "its number"), MESSAGE),
            success="saved script {name}, version {version}",
        ),
        Verb(
            name="imports",
            help="list what a script imports",
            path="scripts/{script}/imports",
            arguments=(_SCRIPT,),
            show=_print_imports,
        ),
        Verb(
            name="imported-by",
            help="list the scripts that import a module",
            path="scripts/{script}/imported-by",
            arguments=(_SCRIPT,),
            columns=(column("name"), column("kind"), column("version"), column("id")),
        ),
        Verb(
            name="validate",
            help="does a file parse? Nothing is saved",
            arguments=(
                own("file", "a .rhai file, or - for standard input"),
                own("--kind", "kind of script", choices=("endpoint", "module")),
            ),
            run=_validate,
        ),
        Verb(
            name="run",
            help="execute a script on the server, whatever its routes",
            arguments=(
                own("script", "name or id"),
                own("--body", "JSON that it gets"),
            ),
            run=_execute,
        ),
    ),
)
add = NOUN.add
