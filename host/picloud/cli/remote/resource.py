"""Declares commands: a resource, its verbs, their arguments, and the request each sends."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from picloud.cli.commands import Commands
from picloud.cli.exits import DONE, wrong_use
from picloud.cli.prompt import confirm_by_name
from picloud.cli.remote.client import Json
from picloud.cli.remote.context import Context, add_options, command
from picloud.cli.remote.output import Column, cell, print_fields, print_json, print_table

Reader = Callable[[Context, Any], Awaitable[Any]]
"""Converts a command line value to an API value, asking the server if needed."""


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a verb.

    Attributes:
        flag: `name` for a positional argument, `--name` for an option.
        help: one line.
        to: the part of the request for its value; "nothing" if the verb's own code uses it.
        field: its name in the request.
        read: converts the command line value, or None.
        options: other arguments of argparse's `add_argument`.
    """

    flag: str
    help: str
    to: Literal["path", "query", "body", "nothing"]
    field: str
    read: Reader | None
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name in the parsed arguments."""
        return f"given_{self.flag.lstrip('-').replace('-', '_')}"

    def add(self, parser: argparse.ArgumentParser) -> None:
        """Add it to the parser of a verb."""
        word = self.flag.lstrip("-").upper()
        takes_text = self.options.get("action", "append") == "append" and "choices" not in self.options
        metavar = {"metavar": word} if takes_text else {}
        if self.flag.startswith("-"):
            short = ("-m",) if self.flag == "--message" else ()
            parser.add_argument(
                *short, self.flag, dest=self.name, help=self.help, **{**metavar, **self.options}
            )
        else:
            parser.add_argument(self.name, help=self.help, **{"metavar": word, **self.options})


def argument(
    to: Literal["path", "query", "body", "nothing"],
    flag: str,
    help: str,  # noqa: A002  # argparse's word
    field: str = "",
    read: Reader | None = None,
    **options: Any,
) -> Argument:
    """Create an argument; its field is named like the flag by default."""
    return Argument(flag, help, to, field or flag.lstrip("-").replace("-", "_"), read, options)


in_path, in_query, in_body = (partial(argument, to) for to in ("path", "query", "body"))
own = partial(argument, "nothing")

FORCE = in_query("--force", "also delete what depends on it", action="store_true")
MESSAGE = in_body("--message", "about this version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A command of a noun.

    Attributes:
        name: the verb.
        help: one line.
        method: HTTP method of the request.
        path: path of the request; see `Client.call`.
        arguments: its arguments.
        success: message printed afterwards, with `{fields}` of the response and the path; without one, the
            response is printed.
        destroys: warning before a destructive action, with `{arguments}`; it must be confirmed.
        columns: columns of the table, if the response is a list.
        leave_out: fields of the response that are not printed.
        in_app: it needs an app.
        finish: completes the body before it is sent.
        show: prints the response, instead of the default.
        run: runs the whole command, instead of the default.
    """

    name: str
    help: str
    method: str = "GET"
    path: str = ""
    arguments: tuple[Argument, ...] = ()
    success: str = ""
    destroys: str = ""
    columns: tuple[Column, ...] = ()
    leave_out: tuple[str, ...] = ()
    in_app: bool = True
    finish: Callable[[Context, Json], None] | None = None
    show: Callable[[Context, Json], None] | None = None
    run: Callable[[Context], Awaitable[int]] | None = None


@dataclass(frozen=True, slots=True)
class Noun:
    """A command with verbs.

    Attributes:
        name: the noun, in the plural.
        help: one line.
        verbs: its verbs.
    """

    name: str
    help: str
    verbs: tuple[Verb, ...]

    def add(self, commands: Commands) -> None:
        """Add the command to the command line."""
        noun = commands.add_parser(self.name, help=self.help, description=f"{self.help.capitalize()}.")
        verbs = noun.add_subparsers(dest="verb", metavar="VERB", required=True)
        for verb in self.verbs:
            parser = verbs.add_parser(verb.name, help=verb.help, description=f"{verb.help.capitalize()}.")
            for one in verb.arguments:
                one.add(parser)
            if verb.columns:
                parser.add_argument(
                    "--limit", type=positive, metavar="N", help="maximum number to list (default: all)"
                )
            if verb.destroys:
                parser.add_argument("--yes", action="store_true", help="do not ask")
            add_options(parser, verb.in_app)
            parser.set_defaults(main=command(verb.run or partial(_run, verb)))


def positive(text: str) -> int:
    """Parse an integer of 1 or more."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


async def no_value(_context: Context, text: str) -> str | None:
    """Convert an empty string to null, which clears a field."""
    return text or None


async def any_method(_context: Context, method: str) -> str | None:
    """Convert a route's method: ANY is null."""
    return None if method.upper() in ("ANY", "*") else method.upper()


async def script(context: Context, name: str) -> str:
    """Convert a script's name or id to its id."""
    return await context.script_id(name)


async def user(context: Context, name: str) -> str:
    """Convert a username or user id to the id."""
    return await context.user_id(name)


async def _run(verb: Verb, context: Context) -> int:
    if verb.destroys:
        typed = vars(context.arguments)
        named = {one.flag: typed[one.name] for one in verb.arguments}
        first = str(named[verb.arguments[0].flag])
        confirm_by_name(verb.destroys.format(**named), first, context.arguments.yes)
    path, query, body = await _values(verb, context)
    if verb.columns:
        items = await context.client.items(verb.path, query, context.arguments.limit, **path)
        if context.json:
            print_json(items)
        else:
            print_table(verb.columns, items, "nothing here")
        return DONE
    sent = body if verb.method in ("POST", "PUT", "PATCH") else None
    answer = await context.client.call(verb.method, verb.path, sent, query, **path)
    if context.json:
        if answer is not None:
            print_json(answer)
    elif verb.show is not None:
        verb.show(context, answer)
    elif verb.success:
        known = {**path, **vars(context.arguments), **(answer or {})}
        print(verb.success.format_map({name: cell(value) for name, value in known.items()}))
    else:
        print_fields(answer, verb.leave_out)
    return DONE


async def _values(verb: Verb, context: Context) -> tuple[dict[str, str], Json, Json]:
    """Return path parameters, query parameters and body from the command line."""
    values: dict[str, Json] = {"path": {}, "query": {}, "body": {}, "nothing": {}}
    for one in verb.arguments:
        typed = getattr(context.arguments, one.name)
        if typed is None or typed is False:
            continue
        values[one.to][one.field] = typed if one.read is None else await one.read(context, typed)
    if "{app}" in verb.path and "app" not in values["path"]:
        values["path"]["app"] = context.app
    if verb.finish is not None:
        verb.finish(context, values["body"])
    if verb.method == "PATCH" and not values["body"]:
        options = ", ".join(one.flag for one in verb.arguments if one.to == "body")
        raise wrong_use(f"nothing to change; use {options}")
    return values["path"], values["query"], values["body"]
