"""Converts types to JSON schemas, with descriptions from their docstrings."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from picloud.http.openapi.words import Schema

Direction = Literal["request", "response"]

REF = "#/components/schemas/{model}"

_ATTRIBUTE = re.compile(r"^    (\w+): (.*)$")
_MODES: Mapping[Direction, Literal["validation", "serialization"]] = {
    "request": "validation",
    "response": "serialization",
}


class Shapes:
    """JSON schemas of types; named types are shared under `#/components/schemas/`.

    Attributes:
        named: the shared schemas by name.
    """

    def __init__(self, types: Iterable[tuple[Any, Direction]]) -> None:
        """Generate the schemas.

        Args:
            types: each type, and whether it is part of a request or of a response.
        """
        self._schemas, found = TypeAdapter.json_schemas(
            [((shape, way), _MODES[way], TypeAdapter[Any](shape)) for shape, way in dict.fromkeys(types)],
            ref_template=REF,
            schema_generator=_Described,
        )
        self.named: dict[str, Schema] = found.get("$defs", {})

    def of(self, shape: Any, way: Direction) -> Schema:
        """Return the schema of a type, usually a reference."""
        return self._schemas[(shape, way), _MODES[way]]

    def resolved(self, shape: Any, way: Direction) -> Schema:
        """Return the schema of a type, with the reference resolved."""
        schema = self.of(shape, way)
        return self.named[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


@functools.cache
def query_shape(model: type[BaseModel]) -> Schema:
    """Return the schema of query parameters."""
    return model.model_json_schema(schema_generator=_Described)


def summary(about: type) -> str:
    """Return the text of a docstring before its sections."""
    text = inspect.cleandoc(about.__doc__ or "")
    return "" if text.startswith(f"{about.__name__}(") else _plain(text.partition("\nAttributes:")[0].strip())


def attributes(about: type) -> dict[str, str]:
    """Return the descriptions of a class's attributes, from the docstrings of the class and its bases."""
    found: dict[str, str] = {}
    for base in reversed(about.__mro__):
        name = ""
        _, _, section = inspect.cleandoc(base.__dict__.get("__doc__") or "").partition("\nAttributes:\n")
        for line in section.splitlines():
            if line and not line.startswith(" "):
                break
            if start := _ATTRIBUTE.match(line):
                name = start[1]
                found[name] = start[2]
            elif name and line.strip():
                found[name] += " " + line.strip()
    return {name: _plain(text) for name, text in found.items()}


class _Described(GenerateJsonSchema):
    """Pydantic's schemas with descriptions, without redundant titles; response fields are all required."""

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        return self._described(super().dataclass_schema(schema), schema["cls"])

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        return self._described(super().model_schema(schema), schema["cls"])

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        return self._described(super().typed_dict_schema(schema), schema["cls"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def normalize_name(self, name: str) -> str:
        return re.sub(r"\W+", "Of", name.rstrip("]"))

    def _described(self, made: JsonSchemaValue, about: type) -> JsonSchemaValue:
        made.pop("title", None)
        made["description"] = summary(about)
        if not made["description"]:
            del made["description"]
        known = {name.rstrip("_"): text for name, text in attributes(about).items()}  # `from_` is `from`
        for name, field in made.get("properties", {}).items():
            if name in known:
                field.setdefault("description", known[name])
        if self.mode == "serialization" and made.get("properties"):
            made["required"] = list(made["properties"])  # a response always has all fields
        return made


def _plain(text: str) -> str:
    """Replace Python's names of values by JSON's, and capitalize the sentence."""
    for python, json in (("None", "null"), ("True", "true"), ("False", "false")):
        text = re.sub(rf"\b{python}\b", json, text)
    return text[:1].upper() + text[1:]
