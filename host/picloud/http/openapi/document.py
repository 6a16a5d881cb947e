"""The OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from picloud import __version__
from picloud.http.admin.endpoint import PREFIX, Endpoint, NoBody
from picloud.http.openapi.failures import Responses, all_errors, error_schema
from picloud.http.openapi.operations import is_not_json, operation, result_type, standalone_operation, tag_of
from picloud.http.openapi.shapes import Direction, Shapes
from picloud.http.openapi.words import ABOUT, EXAMPLES, Schema
from picloud.http.standalone_endpoint import StandaloneEndpoint
from picloud.identity.tokens import SESSION_COOKIE, SESSION_COOKIE_SECURE


def document(endpoints: Sequence[Endpoint], standalone: Sequence[StandaloneEndpoint]) -> dict[str, Any]:
    """Generate the OpenAPI 3.1 document.

    Args:
        endpoints: of the admin API.
        standalone: endpoints outside the admin API.

    Raises:
        KeyError: a path parameter or header is not described in `words.py`.
        pydantic.PydanticUserError: a type has no schema.
    """
    shapes, responses = Shapes(_types(endpoints, standalone)), Responses()
    _complete(endpoints, shapes)
    paths: dict[str, dict[str, Any]] = {}
    for one in endpoints:
        paths.setdefault(PREFIX + one.path, {})[one.method.lower()] = operation(one, shapes, responses)
    for other in standalone:
        paths.setdefault(other.path, {})[other.method.lower()] = standalone_operation(
            other, shapes, responses
        )
    tags = dict(tag_of(one) for one in endpoints) | {other.tag: "" for other in standalone}
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
    endpoints: Sequence[Endpoint], standalone: Sequence[StandaloneEndpoint]
) -> Iterator[tuple[Any, Direction]]:
    for one in endpoints:
        if one.body is not NoBody:
            yield one.body, "request"
        if one.status != 204 and not is_not_json(one):
            yield result_type(one), "response"
    for other in standalone:
        for answer in other.responses.values():
            yield answer.shape, "response"


def _complete(endpoints: Sequence[Endpoint], shapes: Shapes) -> None:
    """Add examples to fields of bodies, and descriptions from response fields of the same name."""
    for one in endpoints:
        if one.body is NoBody:
            continue
        answer = shapes.resolved(result_type(one), "response") if one.status != 204 else {}
        for name, field in shapes.resolved(one.body, "request").get("properties", {}).items():
            description = answer.get("properties", {}).get(name, {}).get("description")
            if description:
                field.setdefault("description", description)
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
