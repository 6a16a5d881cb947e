"""Promises of the API's description."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import create_autospec

import orjson
import pytest
from jsonschema_rs import Draft202012Validator

from picloud.core import errors
from picloud.core.errors import PicloudError
from picloud.execution.platform import Platform
from picloud.http.application import ENDPOINTS, STANDALONE_ENDPOINTS, build_application
from picloud.http.openapi.document import document
from picloud.http.openapi.shapes import attributes, summary
from picloud.sandbox.outcome import STATUS

DOCUMENT = document(ENDPOINTS, STANDALONE_ENDPOINTS)
OPERATIONS: dict[str, dict[str, Any]] = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
each_operation = pytest.mark.parametrize("asked", OPERATIONS)


def test_every_route_of_the_server_is_described_and_every_description_is_served() -> None:
    application = build_application(create_autospec(Platform, instance=True))
    served = {
        f"{route.method} {route.resource.canonical}"
        for route in application.router.routes()
        if route.resource is not None and route.method not in ("HEAD", "*")
    }
    assert served == set(OPERATIONS)


def test_operations_have_names_that_are_theirs_alone() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+\.[a-z_]+", name) for name in names), names


@each_operation
def test_every_name_in_a_path_and_every_parameter_is_described(asked: str) -> None:
    parameters = OPERATIONS[asked]["parameters"]
    in_path = [one["name"] for one in parameters if one["in"] == "path"]
    assert in_path == re.findall(r"\{(\w+)\}", asked)
    assert [one["name"] for one in parameters if not one["description"]] == []


def _fields(schema: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in schema.get("properties", {}).items():
        yield f"{where}.{name}", field
        yield from _fields(field, f"{where}.{name}")


def test_every_shape_and_every_field_is_described() -> None:
    undescribed = [
        where
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for where, field in ((name, schema), *_fields(schema, name))
        if not field.get("description") and "$ref" not in field
    ]
    assert undescribed == [], "describe it under `Attributes:` in the docstring of its class"


def test_every_error_of_ours_is_listed_with_its_status() -> None:
    listed = {(one["status"], one["code"]) for one in DOCUMENT["x-errors"]}
    kinds = [
        kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, PicloudError)
    ]
    assert {(kind.status, kind.code) for kind in kinds} <= listed
    codes = DOCUMENT["components"]["schemas"]["Error"]["properties"]["error"]["properties"]["code"]["enum"]
    assert set(codes) == {code for _, code in listed}


@each_operation
def test_every_body_has_an_example_that_fits(asked: str) -> None:
    content = OPERATIONS[asked].get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return
    name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schema = DOCUMENT["components"]["schemas"][name]
    fields = schema["properties"]
    example = {
        field: (fields[field].get("examples") or fields[field]["enum"])[0]
        for field in schema.get("required", [])
    }
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(example)
    for field in fields.values():
        for value in field.get("examples", ()):
            Draft202012Validator({**field, "components": DOCUMENT["components"]}).validate(value)


def test_every_reference_leads_somewhere_and_nothing_is_there_in_vain() -> None:
    referred = set(re.findall(r'"#/components/(\w+)/([^"]+)"', orjson.dumps(DOCUMENT).decode()))
    components = DOCUMENT["components"]
    there = {(kind, name) for kind in ("schemas", "responses") for name in components[kind]}
    assert referred == there


def test_a_schema_is_named_after_one_type_and_not_after_a_module() -> None:
    assert [name for name in DOCUMENT["components"]["schemas"] if "__" in name] == []


def test_the_description_is_the_same_every_time_and_not_large() -> None:
    again = orjson.dumps(document(ENDPOINTS, STANDALONE_ENDPOINTS))
    assert again == orjson.dumps(DOCUMENT)
    assert len(again) < 256 * 1024


@dataclass
class Parent:
    """A thing.

    It has a second paragraph.

    Attributes:
        one: the first,
            told on two lines.
    """

    one: int


@dataclass
class Child(Parent):
    """A thing that is more.

    Attributes:
        two: None where there is no such thing: true story.

    Nothing: of this.
    """

    two: int | None


def test_docstrings_describe_inherited_fields_in_json_terms() -> None:
    assert attributes(Child) == {
        "one": "The first, told on two lines.",
        "two": "Null where there is no such thing: true story.",
    }
    assert summary(Child) == "A thing that is more."
    assert summary(Parent) == "A thing.\n\nIt has a second paragraph."


def test_the_description_finds_every_error() -> None:
    def kinds(of: type[PicloudError]) -> Iterator[type[PicloudError]]:
        yield of
        for kind in of.__subclasses__():
            yield from kinds(kind)

    # An execution's own end has the codes of sandbox/outcome.py, which are listed too.
    elsewhere = {kind.__name__ for kind in kinds(PicloudError) if kind.__module__ != errors.__name__}
    assert elsewhere == {"_OutcomeError"}
    assert {(status, code) for code, status in STATUS.items() if code != "cancelled"} <= {
        (one["status"], one["code"]) for one in DOCUMENT["x-errors"]
    }
