"""The OpenAPI document as a page of Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from picloud.http.openapi.words import Schema

_HEAD = """\
# API

<!-- Made from the tables that serve the API by `picloud config --reference api`; do not edit. -->

A server describes itself at `/api/v1/openapi.json` (OpenAPI 3.1, for programs) and `/api/v1/docs` (the
same for people, with search and examples). This page is made from the same tables.
"""


def page(document: dict[str, Any]) -> str:
    """Write the page.

    Args:
        document: an OpenAPI document.

    Returns:
        Markdown.
    """
    parts = [_HEAD, document["info"]["description"]]
    for tag in document["tags"]:
        parts.append(f"## {tag['name']}\n")
        if "description" in tag:
            parts.append(tag["description"] + "\n")
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if operation["tags"][0] == tag["name"]:
                    parts.append("\n".join(_operation(method.upper(), path, operation, document)))
    parts.append("## Shapes\n")
    for name, schema in document["components"]["schemas"].items():
        parts.append("\n".join(_shape(name, schema)))
    parts.append("## Error codes\n\n| status | code | |\n|---|---|---|")
    parts += [f"| {one['status']} | `{one['code']}` | {one['message']} |" for one in document["x-errors"]]
    return "\n".join(parts) + "\n"


def _operation(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    yield f"### {operation['summary']}\n"
    yield f"`{method} {path}`  "
    if operation["description"]:
        yield f"{operation['description']}\n"
    if operation["parameters"]:
        yield "| parameter | in | type | |\n|---|---|---|---|"
        for one in operation["parameters"]:
            kind = type_of(one["schema"])
            yield f"| `{one['name']}` | {one['in']} | {_cell(kind)} | {_cell(one['description'])} |"
        yield ""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        yield f"Body: {_linked(body['schema'])}  "
    good, bad = [], []
    for status, response in operation["responses"].items():
        if "x-codes" in response:
            bad += [f"{status} `{code}`" for code in response["x-codes"]]
        elif "$ref" in response:
            found = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
            codes = found["content"]["application/json"]["schema"]["allOf"][1]["properties"]["error"]
            bad += [f"{status} `{code}`" for code in codes["properties"]["code"]["enum"]]
        else:
            good.append(_answer(status, response))
    yield "Answers: " + "; ".join(good) + "  "
    if bad:
        yield "Errors: " + ", ".join(bad)
    yield ""


def _answer(status: str, response: Schema) -> str:
    if "application/json" in response.get("content", {}):
        return f"{status} {_linked(response['content']['application/json']['schema'])}"
    if "x-event-data" in response:
        return f"{status} a [stream](#streams) of {_linked(response['x-event-data'])}"
    return f"{status} {response['description'].rstrip('.')}"


def _shape(name: str, schema: Schema) -> Iterator[str]:
    yield f"### {name}\n"
    if "description" in schema:
        yield schema["description"] + "\n"
    yield "| field | type | |\n|---|---|---|"
    sent = schema.get("additionalProperties") is False  # an answer has all of its fields, always
    for field, inside in schema.get("properties", {}).items():
        needed = " (required)" if sent and field in schema.get("required", []) else ""
        yield f"| `{field}` | {_cell(_linked(inside))}{needed} | {_cell(inside.get('description', ''))} |"
    yield ""


def type_of(schema: Schema) -> str:
    """What a schema takes, in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " or ".join(json.dumps(value) for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "anyOf" in schema:
        return " or ".join(type_of(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_grouped(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_grouped(schema['additionalProperties'])}"
    return str(schema.get("format") or schema.get("type") or "anything")


def _grouped(schema: Schema) -> str:
    text = type_of(schema)
    return f"({text})" if " or " in text else text


def _linked(schema: Schema) -> str:
    """The type, with a link to the shape it names."""
    text = type_of(schema)
    for one in (schema, *schema.get("anyOf", ()), schema.get("items", {})):
        if "$ref" in one:
            name = type_of(one)
            return text.replace(name, f"[{name}](#{name.lower()})")
    return text


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
