"""What the description says that no table or docstring does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from picloud.core.validation import VARIABLE_NAME

Schema = dict[str, Any]

ABOUT = """\
Log in with `POST /api/v1/admin/auth/login`, or make an API key, and send it as `Authorization: Bearer ...`.

Every error has one shape, `Error`, and a code. Every answer has an `X-Request-Id`. Bodies are JSON and say
so in `Content-Type`. A field or a parameter that is not listed, or is there twice, is refused with 422.
A `PATCH` is a JSON merge patch: what is absent stays, null clears. Answers may get further fields in later
versions; those that are here stay. `HEAD` is answered wherever `GET` is.

What is no proper request is refused before it is known what it asks for (400, 405, 408, 413, 414, 417, 431),
in the same shape; operations do not list that.

Lists take `limit` (1 to 200) and `cursor`, and answer `items` and `next_cursor`, which is null on the last
page. Walking a list shows everything that was there all the while exactly once; what is made or deleted
meanwhile may be shown or not.

## Streams

A path that ends in `:follow` returns server-sent events (`text/event-stream`) until the client disconnects.
The `data` of each event is one JSON object, and its `id` is a position. To continue after an event, send its
`id` as `Last-Event-ID`; browsers do so by themselves (`EventSource`). Without it, the stream begins with what
happens next. An event without data only moves the id. Comments (`:`) are heartbeats.

A stream ends with an event `closing`, whose data has the `code` and the `message` of an error: `not_ready`
when the server stops, `unauthenticated` or `forbidden` when access was revoked. Connect again after the time
in `retry`; if the error lasts, the response has it.
"""

_ID: Schema = {"type": "string", "format": "uuid"}

PATH_PARAMETERS: Mapping[str, tuple[str, Schema]] = {
    "app": ("Id, slug or former slug of the app.", {"type": "string"}),
    "collection": ("Name of the collection, percent-encoded.", {"type": "string"}),
    "document": ("Id of the document.", _ID),
    "domain": ("Id of the domain.", _ID),
    "variable": ("Name of the variable.", {"type": "string", "pattern": f"^{VARIABLE_NAME}$"}),
    "entry": ("Key of the entry, percent-encoded: also `/` and `:`.", {"type": "string"}),
    "execution": ("Id of the execution.", _ID),
    "file": ("Id of the file.", _ID),
    "key": ("Id of the API key.", _ID),
    "route": ("Id of the route.", _ID),
    "script": ("Id of the script.", _ID),
    "script_id": ("Id of the script.", _ID),
    "session": ("Id of the session.", _ID),
    "user": ("Id of the user.", _ID),
    "version": ("A version of the script.", {"type": "integer", "minimum": 1}),
}
"""What a name in a path stands for."""

HEADERS: Mapping[str, str] = {
    "Last-Event-ID": "The id of the last event you have; the stream goes on behind it.",
    "User-Agent": "What the client calls itself; shown in the list of sessions.",
    "If-Match": 'The version that is to be changed, for example `"3"`; 409 when it is another by now.',
    "If-Range": "The ETag of what you have a part of; when it is another by now, all is sent.",
    "Range": "The part that is wanted, for example `bytes=1000-`; 206 with one, 416 behind the end.",
    "If-None-Match": "The ETag of what you have; 304 when it is still the same.",
}
"""What a header of a request means."""

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
"""Values of fields of bodies by name; choices and numbers speak for themselves."""
