"""`picloud kv`."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

from picloud.cli.exits import wrong_use
from picloud.cli.remote.client import Json
from picloud.cli.remote.collections_common import COLLECTION, list_verb, print_value, read_json
from picloud.cli.remote.context import Context, read_text
from picloud.cli.remote.output import column, moment
from picloud.cli.remote.resource import Noun, Verb, in_body, in_path, in_query, own, positive
from picloud.cli.terminal import fail

_KEY = in_path("key", "key of the entry", "entry")
_ENTRY = "apps/{app}/kv/{collection}/{entry}"


async def _value(context: Context, text: str) -> Any:
    if not context.arguments.given_text:
        return await read_json(context, text)
    return read_text("-") if text == "-" else text


async def _blob(_context: Context, file: str) -> str:
    try:
        return base64.b64encode(Path(file).read_bytes()).decode()
    except OSError as error:
        raise wrong_use(f"{file} cannot be read: {error.strerror}") from error


def _show(_context: Context, answer: Json) -> None:
    """Print only the value, so that it can be piped to another program."""
    if answer["blob"] is not None and not sys.stdout.isatty():
        sys.stdout.buffer.write(base64.b64decode(answer["blob"]))
    elif answer["value"] is not None:
        print_value(answer["value"])
    else:
        kind = "a blob" if answer["blob"] is not None else "not valid as JSON"
        fail(f"the value ({answer['size']} bytes) is {kind}; use --json to print it as base64")


NOUN = Noun(
    "kv",
    "key-value entries of scripts",
    (
        list_verb(
            "kv",
            "keys",
            (column("name"), column("entries"), column("bytes"), column("more")),
            (
                column("key"),
                column("size", "bytes"),
                column("expires_at", "expires", moment),
                column("updated_at", "changed", moment),
            ),
            (in_query("--prefix", "only keys with this prefix"),),
        ),
        Verb(
            name="get",
            help="print the value of a key as JSON; a blob as raw bytes, except to a terminal",
            path=_ENTRY,
            arguments=(COLLECTION, _KEY),
            show=_show,
        ),
        Verb(
            name="set",
            help="write a value",
            method="PUT",
            path=_ENTRY,
            arguments=(
                COLLECTION,
                _KEY,
                in_body("value", "JSON, or - to read it from standard input", "value", _value, nargs="?"),
                own("--text", "the value is a plain string, not JSON", action="store_true"),
                in_body("--blob", "store the content of this file as a blob", "blob", _blob, metavar="FILE"),
                in_body(
                    "--ttl",
                    "expire the entry after this many seconds",
                    "ttl_seconds",
                    type=positive,
                    metavar="SECONDS",
                ),
            ),
            success="wrote {key}, {size} bytes",
        ),
        Verb(
            name="delete",
            help="delete an entry",
            method="DELETE",
            path=_ENTRY,
            arguments=(COLLECTION, _KEY),
            destroys="deletes {key} of {collection}",
            success="deleted {given_key}",
        ),
    ),
)
add = NOUN.add
