"""Texts of the API reference that are not in endpoint declarations or docstrings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from picloud.core.validation import VARIABLE_NAME

Schema = dict[str, Any]

ABOUT = """\
Log in with `POST /api/v1/admin/auth/login` or create an API key. Send the token as
`Authorization: Bearer ...`.

Request and response bodies are JSON, with `Content-Type: application/json`. Unknown and duplicate fields
and parameters are rejected with 422. `PATCH` takes a JSON merge patch: absent fields keep their value, null
clears a field. Later versions can add fields to responses, but do not remove any. `HEAD` works wherever
`GET` does. Every response has the header `X-Request-Id`.

All errors have the shape `Error`, with a code. Invalid HTTP requests are rejected before they reach an
operation (400, 405, 408, 413, 414, 417, 431), with the same shape. Operations do not list these errors.

Lists take `limit` (1 to 200) and `cursor`. They return `items` and `next_cursor`, which is null on the last
page. If you fetch all pages, you get every item exactly once, except that items created or deleted in the
meantime may or may not be included.

## Streams

A path that ends in `:follow` returns server-sent events (`text/event-stream`) until the client disconnects.
The `data` of each event is one JSON object, and its `id` is a position. To continue after an event, send its
`id` as `Last-Event-ID`; browsers do this automatically (`EventSource`). Without it, the stream starts with
the next event. An event without data only updates the id. Comments (`:`) are heartbeats.

A stream ends with an event `closing`, whose data has the `code` and the `message` of an error: `not_ready`
when the server stops, `unauthenticated` or `forbidden` when access was revoked. Connect again after the time
in `retry`. If the error persists, the response to the new request reports it.
"""

_ID: Schema = {"type": "string", "format": "uuid"}

PATH_PARAMETERS: Mapping[str, tuple[str, Schema]] = {
    "app": ("Id, slug or former slug of the app.", {"type": "string"}),
    "collection": ("Name of the collection, percent-encoded.", {"type": "string"}),
    "document": ("Id of the document.", _ID),
    "domain": ("Id of the domain.", _ID),
    "variable": ("Name of the variable.", {"type": "string", "pattern": f"^{VARIABLE_NAME}$"}),
    "entry": ("Key of the entry, percent-encoded, including `/` and `:`.", {"type": "string"}),
    "execution": ("Id of the execution.", _ID),
    "file": ("Id of the file.", _ID),
    "key": ("Id of the API key.", _ID),
    "route": ("Id of the route.", _ID),
    "script": ("Id of the script.", _ID),
    "script_id": ("Id of the script.", _ID),
    "session": ("Id of the session.", _ID),
    "user": ("Id of the user.", _ID),
    "version": ("Version of the script.", {"type": "integer", "minimum": 1}),
}
"""Description and schema of path parameters, by name."""

FREE_NAME = "Instead of `{name}` in the path, which is then `-`. For a name that is `.` or `..`."
"""Description of a name in the query; clients take dots in a path for steps."""

HEADERS: Mapping[str, str] = {
    "Last-Event-ID": "The id of the last event you received; the stream continues after it.",
    "User-Agent": "The name of the client; shown in the list of sessions.",
    "If-Match": 'The version of a script, for example `"3"`, or the ETag of a file; 412 if it is outdated.',
    "If-Range": "The ETag of the part you have; the whole file is sent if the file has changed.",
    "Range": "The range of bytes, for example `bytes=1000-`; returns 206, or 416 after the end of the file.",
    "If-None-Match": "The ETag you have; returns 304 if it is still current.",
}
"""Descriptions of request headers, by name."""

EXAMPLES: Mapping[str, object] = {
    "current": "my old password",
    "data": {"title": "Hello"},
    "description": "Greets people by name",
    "email": "ada@example.com",
    "name": "greet",
    "password": "correct horse battery",
    "path": "/users/:id",
    "pattern": "api.example.com",
    "scopes": ["script:read", "script:write"],
    "script_id": "0199e0b4-6f3c-7d52-9d5e-3b1f7c0a2e44",
    "slug": "shop",
    "source": '"Hello, " + ctx.request.query.name',
    "token": "the token of the link",
    "url": "https://api.example.com/users/7",
    "username": "ada",
}
"""Examples for fields of bodies, by name; enums and numbers need none."""
