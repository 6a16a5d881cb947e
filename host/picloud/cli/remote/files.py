"""`picloud files`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from picloud.cli.exits import DONE, wrong_use
from picloud.cli.remote.atomic_file import write_whole
from picloud.cli.remote.collections_common import COLLECTION, list_verb
from picloud.cli.remote.context import Context
from picloud.cli.remote.output import column, moment, print_json
from picloud.cli.remote.resource import Noun, Verb, in_path, own
from picloud.cli.terminal import plain

_ID = in_path("id", "id of the file", "file")
_FILE = "apps/{app}/files/{collection}/{file}"
_SEPARATORS = re.compile(r"[\\/]")


async def _download(context: Context) -> int:
    given = context.arguments
    parts = {"app": context.app, "collection": given.given_collection, "file": given.given_id}
    about = await context.client.call("GET", _FILE, **parts)
    to = given.given_output
    # The name comes from the uploader: it must not lead out of this folder, nor overwrite a file.
    place = Path(to or _SEPARATORS.sub("_", about["name"]))
    if to is None and (place.exists() or place.is_symlink()):
        raise wrong_use(f"{str(place)!r} already exists; use --output to choose another file")
    data = await context.client.download(f"{_FILE}/content", **parts)
    if to == "-":
        sys.stdout.buffer.write(data)
        return DONE
    try:
        write_whole(place, data)
    except OSError as error:
        raise wrong_use(f"{place} cannot be written: {error.strerror}") from error
    if context.json:
        print_json(about)
    else:
        print(plain(f"wrote {place}, {len(data)} bytes"))
    return DONE


NOUN = Noun(
    "files",
    "files of scripts",
    (
        list_verb(
            "files",
            "files",
            (column("name"), column("files"), column("bytes"), column("more")),
            (
                column("id"),
                column("name"),
                column("content_type", "type"),
                column("size", "bytes"),
                column("updated_at", "changed", moment),
            ),
        ),
        Verb(name="show", help="show a file without its content", path=_FILE, arguments=(COLLECTION, _ID)),
        Verb(
            name="download",
            help="download a file into this folder",
            arguments=(
                own("collection", "name of the collection"),
                own("id", "id of the file"),
                own("--output", "save it to this file, or - for standard output", metavar="FILE"),
            ),
            run=_download,
        ),
        Verb(
            name="delete",
            help="delete a file",
            method="DELETE",
            path=_FILE,
            arguments=(COLLECTION, _ID),
            destroys="deletes the file {id} of {collection}",
            success="deleted {given_id}",
        ),
    ),
)
add = NOUN.add
