"""The OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from picloud import __version__
from picloud.http.admin.endpoint import PREFIX, Endpoint, NoBody
from picloud.http.openapi.failures import Responses, all_errors, error_schema
from picloud.http.openapi.operations import answer_of, operation, plain_operation, sends_bytes, tag_of
from picloud.http.openapi.shapes import Direction, Shapes
from picloud.http.openapi.words import ABOUT, EXAMPLES, Schema
from picloud.http.standalone_endpoint import StandaloneEndpoint
from picloud.identity.tokens import SESSION_COOKIE, SESSION_COOKIE_SECURE


def document(endpoints: Sequence[Endpoint], plain: Sequence[StandaloneEndpoint]) -> dict[str, Any]:
    """Describe the API.

    Args:
        endpoints: of the admin API.
        plain: those outside.

    Returns:
        An OpenAPI 3.1 document.

    Raises:
        KeyError: a path or a header has a name that `words.py` does not know.
        pydantic.PydanticUserError: a type has no schema.
    """
    shapes, responses = Shapes(_types(endpoints, plain)), Responses()
    _complete(endpoints, shapes)
    paths: dict[str, dict[str, Any]] = {}
    for one in endpoints:
        paths.setdefault(PREFIX + one.path, {})[one.method.lower()] = operation(one, shapes, responses)
    for other in plain:
        paths.setdefault(other.path, {})[other.method.lower()] = plain_operation(other, shapes, responses)
    tags = dict(tag_of(one) for one in endpoints) | {other.tag: "" for other in plain}
    return {
        "openapi": "3.1.0",
        "info": {"title": "PiCloud", "version": __version__, "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} | ({"description": about} if about else {}) for name, about in tags.items()],
        "paths": paths,
        "components": {
            "schemas": {"Error": error_schema(), **dict(sorted(shapes.named.items()))},
            "responses": dict(sorted(responses.named.items())),
            "securitySchemes": _security_schemes(),
        },
        "x-errors": [
            {"status": status, "code": code, "message": message} for status, code, message in all_errors()
        ],
    }


def _types(
    endpoints: Sequence[Endpoint], plain: Sequence[StandaloneEndpoint]
) -> Iterator[tuple[Any, Direction]]:
    for one in endpoints:
        if one.body is not NoBody:
            yield one.body, "sent"
        if one.status != 204 and not sends_bytes(one):
            yield answer_of(one), "answered"
    for other in plain:
        for answer in other.responses.values():
            yield answer.shape, "answered"


def _complete(endpoints: Sequence[Endpoint], shapes: Shapes) -> None:
    """Give fields of bodies an example, and the description of the answer's field of the same name."""
    for one in endpoints:
        if one.body is NoBody:
            continue
        answer = shapes.resolved(answer_of(one), "answered") if one.status != 204 else {}
        for name, field in shapes.resolved(one.body, "sent").get("properties", {}).items():
            told = answer.get("properties", {}).get(name, {}).get("description")
            if told:
                field.setdefault("description", told)
            if name in EXAMPLES:
                field.setdefault("examples", [EXAMPLES[name]])


def _security_schemes() -> dict[str, Schema]:
    return {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "A session's token (`pis_...`) or an API key (`pic_...`).",
        },
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": SESSION_COOKIE,
            "description": f"A session, for pages of the same origin. Over https: `{SESSION_COOKIE_SECURE}`.",
        },
    }
