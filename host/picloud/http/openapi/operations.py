"""Converts endpoints to operations of the OpenAPI document."""

from __future__ import annotations

import re
import sys
import typing
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from picloud.core.errors import PicloudError
from picloud.http.admin.endpoint import Endpoint, NoBody, WithHeaders
from picloud.http.admin.free_names import FREE_NAMES
from picloud.http.admin.stream_endpoint import StreamEndpoint
from picloud.http.edge.event_stream import CONTENT_TYPE
from picloud.http.openapi.failures import Responses, errors_of, scripted_responses
from picloud.http.openapi.shapes import Shapes, query_shape
from picloud.http.openapi.words import FREE_NAME, HEADERS, PATH_PARAMETERS, Schema
from picloud.http.standalone_endpoint import StandaloneEndpoint
from picloud.identity.capabilities import CAPABILITIES

_CAPABILITIES = {one.name: one for one in CAPABILITIES}
_LOGGED_IN: list[dict[str, list[str]]] = [{"bearer": []}, {"cookie": []}]


def result_type(endpoint: Endpoint) -> Any:
    """Return the type of a handler's result, without `WithHeaders`; for a stream, the type of its data."""
    shape = typing.get_type_hints(endpoint.handle)["return"]
    if isinstance(endpoint, StreamEndpoint):
        event = typing.get_args(shape)[0]
        return typing.get_args(event)[0]
    return typing.get_args(shape)[0] if typing.get_origin(shape) is WithHeaders else shape


def is_not_json(endpoint: Endpoint) -> bool:
    """Report whether the response is not JSON."""
    return result_type(endpoint) is web.Response


def tag_of(endpoint: Endpoint) -> tuple[str, str]:
    """Return the group of an endpoint, and its description: the docstring of the module."""
    module = endpoint.handle.__module__
    return module.rpartition(".")[2], (sys.modules[module].__doc__ or "").splitlines()[0]


def operation(endpoint: Endpoint, shapes: Shapes, responses: Responses) -> dict[str, Any]:
    """Return the Operation Object of an endpoint of the admin API; adds its errors to `responses`."""
    tag, _ = tag_of(endpoint)
    made: dict[str, Any] = {
        "operationId": f"{tag}.{endpoint.handle.__name__.strip('_')}",
        "tags": [tag],
        "summary": endpoint.summary,
        "description": _access(endpoint),
        "security": [] if endpoint.access == "public" else _LOGGED_IN,
        "parameters": [
            *_path_parameters(endpoint.path),
            *_free_name_parameters(endpoint.path),
            *_query_parameters(query_shape(endpoint.query)),
            *_header_parameters(endpoint.headers),
        ],
    }
    if endpoint.access in _CAPABILITIES:
        made["x-capability"] = endpoint.access
    if endpoint.body is not NoBody:
        schema = shapes.of(endpoint.body, "request")
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    done: Schema = {"description": "Done."}
    more: dict[str, Schema] = {}
    if is_not_json(endpoint):
        done, more = _bytes("The file."), {"206": _bytes("The requested range of the file.")}
        more["304"] = {"description": "Not changed."}
    elif isinstance(endpoint, StreamEndpoint):
        # OpenAPI 3.1 cannot describe the events of a stream, so their schema is in an extension.
        done["description"] = "Server-sent events. The data of each is JSON."
        done["content"] = {CONTENT_TYPE: {"schema": {"type": "string"}}}
        done["x-event-data"] = shapes.of(result_type(endpoint), "response")
    elif endpoint.status != 204:
        done["content"] = {"application/json": {"schema": shapes.of(result_type(endpoint), "response")}}
    made["responses"] = {str(endpoint.status): done} | more | responses.of(errors_of(endpoint))
    return made


def standalone_operation(
    endpoint: StandaloneEndpoint, shapes: Shapes, responses: Responses
) -> dict[str, Any]:
    """Return the Operation Object of an endpoint outside the admin API; adds its errors to `responses`."""
    made: dict[str, Any] = {
        "operationId": f"{endpoint.tag}.{endpoint.name}",
        "tags": [endpoint.tag],
        "summary": endpoint.summary,
        "description": endpoint.about,
        "security": [{}, *_LOGGED_IN] if endpoint.scripted else [],
        "parameters": [
            *_path_parameters(endpoint.path),
            *(_parameter(name, "query", about, {"type": "string"}) for name, about in endpoint.query.items()),
            *_header_parameters(endpoint.headers),
        ],
    }
    if endpoint.scripted:
        made["requestBody"] = {"description": "The body for the script.", "content": {"*/*": {"schema": {}}}}
        made["responses"] = scripted_responses(endpoint.errors)
        return made
    answers: dict[str, Schema] = {}
    for status, answer in endpoint.responses.items():
        answers[str(status)] = {"description": answer.about}
        if answer.media_type:
            schema = shapes.of(answer.shape, "response")
            answers[str(status)]["content"] = {answer.media_type: {"schema": schema}}
    made["responses"] = answers | responses.of((*endpoint.errors, PicloudError))
    return made


def _bytes(about: str) -> Schema:
    return {"description": about, "content": {"*/*": {"schema": {}}}}


def _access(endpoint: Endpoint) -> str:
    if endpoint.access == "public":
        return "Public."
    if endpoint.access == "session":
        return "Requires a session; an API key is not enough."
    known = _CAPABILITIES.get(endpoint.access)
    if known is None:
        return "Requires a login."
    where = "in the app" if known.level == "app" else "in the instance"
    return (
        f"Requires `{known.name}`: the role `{known.least_role}` {where} or higher; "
        f"an API key also requires the scope `{known.scope}`."
    )


def _path_parameters(path: str) -> list[Schema]:
    return [
        _parameter(name, "path", *PATH_PARAMETERS[name]) | {"required": True}
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _free_name_parameters(path: str) -> list[Schema]:
    return [
        _parameter(name, "query", FREE_NAME.format(name=name), {"type": "string"})
        for name in FREE_NAMES
        if f"{{{name}}}" in path
    ]


def _query_parameters(model: Schema) -> list[Schema]:
    made = []
    for name, described in model.get("properties", {}).items():
        schema = dict(described)
        about = schema.pop("description", "")
        # A query has no null: a parameter that can be null in the model is optional.
        if schema.get("default", "") is None:
            del schema["default"]
        choices = [choice for choice in schema.pop("anyOf", []) if choice != {"type": "null"}]
        if len(choices) == 1:
            schema |= choices[0]
        elif choices:
            schema["anyOf"] = choices
        required = {"required": True} if name in model.get("required", []) else {}
        made.append(_parameter(name, "query", about, schema) | required)
    return made


def _header_parameters(names: Iterable[str]) -> list[Schema]:
    return [_parameter(name, "header", HEADERS[name], {"type": "string"}) for name in names]


def _parameter(name: str, where: str, about: str, schema: Schema) -> Schema:
    return {"name": name, "in": where, "description": about, "schema": schema}
