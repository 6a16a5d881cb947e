"""Shared by `picloud kv`, `docs` and `files`: lists collections and their contents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from picloud.cli.exits import DONE, wrong_use
from picloud.cli.remote.context import Context, read_text
from picloud.cli.remote.output import Column, print_json, print_table
from picloud.cli.remote.resource import Argument, Verb, in_path, own
from picloud.cli.terminal import json_text

COLLECTION = in_path("collection", "name of the collection")


def list_verb(
    noun: str,
    what: str,
    collections: Sequence[Column],
    items: tuple[Column, ...],
    arguments: tuple[Argument, ...] = (),
) -> Verb:
    """Return the verb that lists collections, or the contents of one.

    Args:
        noun: the noun in the API's paths.
        what: the contents of a collection, in the plural.
        collections: columns of the list of collections.
        items: columns of the list of contents.
        arguments: parameters of the list of contents.
    """
    return Verb(
        name="list",
        help=f"list the collections of an app, or the {what} of one",
        arguments=(own("collection", "list the contents of this collection only", nargs="?"), *arguments),
        columns=items,
        run=partial(_list, noun, collections, items, arguments),
    )


async def read_json(_context: Context, text: str) -> Any:
    """Parse JSON from the command line, or from standard input for `-`."""
    try:
        return json.loads(read_text("-") if text == "-" else text)
    except ValueError as error:
        raise wrong_use(f"not valid JSON: {error}") from None


def print_value(value: object) -> None:
    """Print JSON, indented."""
    print(json_text(value, indent=2))


async def _list(
    noun: str,
    collections: Sequence[Column],
    items: Sequence[Column],
    arguments: Sequence[Argument],
    context: Context,
) -> int:
    given = context.arguments
    path, query, parts, columns = f"apps/{{app}}/{noun}", {}, {"app": context.app}, collections
    if given.given_collection is not None:
        path, columns = f"{path}/{{collection}}", items
        parts["collection"] = given.given_collection
        query = {one.field: getattr(given, one.name) for one in arguments}
    found = await context.client.items(path, query, given.limit, **parts)
    if context.json:
        print_json(found)
    else:
        print_table(columns, found, "nothing here")
    return DONE
