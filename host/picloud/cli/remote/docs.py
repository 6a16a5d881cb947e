"""`picloud docs`."""

from __future__ import annotations

from typing import Any

from picloud.cli.exits import DONE, wrong_use
from picloud.cli.remote.client import Json
from picloud.cli.remote.collections_common import COLLECTION, list_verb, print_value, read_json
from picloud.cli.remote.context import Context
from picloud.cli.remote.output import column, moment, print_fields, print_json
from picloud.cli.remote.resource import Noun, Verb, in_body, in_path, in_query, own

_ID = in_path("id", "id of the document", "document")
_DOCUMENT = "apps/{app}/docs/{collection}/{document}"
_DATA = "JSON of an object, or - to read it from standard input"
_COLUMNS = (column("id"), column("updated_at", "changed", moment), column("data"))


def _show(_context: Context, answer: Json) -> None:
    print_fields(answer, ("data",))
    print()
    print_value(answer["data"])


async def _filter(context: Context, text: str) -> str:
    if not isinstance(await read_json(context, text), dict):
        raise wrong_use('a filter is a JSON object, such as {"size": {"$gte": 5}}')
    return text


async def _update(context: Context) -> int:
    given = context.arguments
    data: Any = await read_json(context, given.given_data)
    parts = {"app": context.app, "collection": given.given_collection, "document": given.given_id}
    method = "PUT" if given.given_replace else "PATCH"
    answer = await context.client.call(method, _DOCUMENT, {"data": data}, **parts)
    if context.json:
        print_json(answer)
    else:
        print(f"updated document {answer['id']}")
    return DONE


NOUN = Noun(
    "docs",
    "documents of scripts",
    (
        list_verb(
            "docs",
            "documents",
            (column("name"), column("documents"), column("bytes"), column("more")),
            _COLUMNS,
        ),
        Verb(
            name="get",
            help="show a document",
            path=_DOCUMENT,
            arguments=(COLLECTION, _ID),
            show=_show,
        ),
        Verb(
            name="find",
            help="list the documents that match a filter; with $sort, $skip or $limit in it, the first 200",
            path="apps/{app}/docs/{collection}",
            arguments=(
                COLLECTION,
                in_query("filter", 'filter as in docs::find: \'{"size": {"$gte": 5}}\'', read=_filter),
            ),
            columns=_COLUMNS,
        ),
        Verb(
            name="create",
            help="create a document",
            method="POST",
            path="apps/{app}/docs/{collection}",
            arguments=(COLLECTION, in_body("data", _DATA, read=read_json)),
            success="created document {id}",
        ),
        Verb(
            name="update",
            help="merge into a document: null removes a field",
            arguments=(
                own("collection", "name of the collection"),
                own("id", "id of the document"),
                own("data", _DATA),
                own("--replace", "replace the document", action="store_true"),
            ),
            run=_update,
        ),
        Verb(
            name="delete",
            help="delete a document",
            method="DELETE",
            path=_DOCUMENT,
            arguments=(COLLECTION, _ID),
            destroys="deletes the document {id} of {collection}",
            success="deleted {given_id}",
        ),
    ),
)
add = NOUN.add
