"""Validates JSON bodies and query strings against models; errors name the field."""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import ClassVar, TypeVar, get_args

import orjson
from multidict import MultiMapping
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from picloud.core.errors import BadRequest, Invalid
from picloud.core.numbers import NotAnInteger, read_integer
from picloud.core.validation_messages import describe_validation_error

_TRUTHS = ("true", "false")

Model = TypeVar("Model", bound=BaseModel)
BodyModel = TypeVar("BodyModel", bound="Body")

_SMALL_BODY = 64 * 1024  # bytes that parse in a millisecond, whatever they contain
_LARGEST = (1 << 63) - 1
_MAX_STRINGS = 10_000
MAX_DATA_VALUES = 250_000
"""Values in a body of data of an app: more than a script has within the limits that it can get by default."""
_MAX_PROBLEMS = 50  # listed in an error
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


class Body(BaseModel):
    """A JSON body: no type conversions, no unknown fields.

    Attributes:
        with_nul: fields whose strings can contain NUL.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    with_nul: ClassVar[frozenset[str]] = frozenset()


class Query(BaseModel):
    """A query string: integers and booleans must be written as in JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _check_spelling(cls, value: object, field: ValidationInfo) -> object:
        annotation = cls.model_fields[str(field.field_name)].annotation
        kinds = (annotation, *get_args(annotation))
        if int in kinds:
            try:
                return read_integer(str(value), -_LARGEST, _LARGEST, exact=True)
            except NotAnInteger:
                raise PydanticCustomError("spelling", "must be an integer") from None
        if bool in kinds and value not in _TRUTHS:
            raise PydanticCustomError("spelling", "must be true or false")
        return value


def is_small(raw: bytes) -> bool:
    """Return whether a body is parsed in a millisecond, whatever it contains."""
    return len(raw) <= _SMALL_BODY


def parse_json(model: type[BodyModel], raw: bytes, max_values: int | None = None) -> BodyModel:
    """Parse and validate a JSON body; a byte order mark in front is skipped.

    Args:
        raw: the body.
        max_values: maximum number of values, for a body of data; None for a body of fields, in which a few
            strings can be long.

    Raises:
        BadRequest: the body is not valid JSON; details have line and column.
        Invalid: a field is missing, unknown, a duplicate, of the wrong type, or contains NUL; details list
            the problems.
    """
    raw = raw.removeprefix(codecs.BOM_UTF8)
    if not raw:
        raise BadRequest("the body is empty; send a JSON object")
    _reject_many_values(raw, max_values)
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise _not_json(raw, error) from None
    if not isinstance(data, dict):
        raise Invalid("the body must be a JSON object")
    if b"\\u0000" in raw:
        _reject_nul({name: value for name, value in data.items() if name not in model.with_nul})
    body = _validated(model, data)
    _reject_duplicates(raw)
    return body


def parse_query(model: type[Model], query: MultiMapping[str]) -> Model:
    """Validate the decoded parameters of a query string.

    Raises:
        Invalid: a parameter is unknown, a duplicate, invalid, or contains NUL.
    """
    data = dict(query.items())
    if len(data) != len(query):
        raise Invalid("a query parameter is given twice")
    if data:
        _reject_nul(data)
    return _validated(model, data)


def _not_json(raw: bytes, error: orjson.JSONDecodeError) -> BadRequest:
    try:
        raw.decode()
    except UnicodeDecodeError as wrong:  # orjson does not report the position
        before = raw[: wrong.start].decode()
        column = len(before) - (before.rfind("\n") + 1) + 1
        return BadRequest("the body is not UTF-8", line=before.count("\n") + 1, column=column)
    return BadRequest(f"the body is not JSON: {error.msg}", line=error.lineno, column=error.colno)


def _validated(model: type[Model], data: Mapping[str, object]) -> Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = [
            {
                "field": ".".join(map(str, problem["loc"])),
                "message": _describe(problem["type"], problem["msg"]),
            }
            for problem in error.errors(include_url=False, include_context=False, include_input=False)[
                :_MAX_PROBLEMS
            ]
        ]
    first = problems[0]
    raise Invalid(f"{first['field']}: {first['message']}", field=first["field"], problems=problems)


def _describe(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "unknown field"
    return describe_validation_error(kind, message)


def _reject_nul(data: Mapping[str, object]) -> None:
    for field, text in _strings(data):
        if "\0" in text:
            raise Invalid(f"{field}: must not contain NUL characters", field=field)


def _reject_many_values(raw: bytes, max_values: int | None) -> None:
    """Reject a body of very many small values, which would take seconds to validate.

    Valid large bodies consist of a few long strings (a script's source), with little outside of strings, or
    are data of an app.
    """
    if is_small(raw):
        return
    if max_values is not None:
        bare = _STRING.sub(b"", raw)
        if sum(map(bare.count, (b",", b"[", b"{"))) > max_values:
            raise Invalid(f"the body has too many values: at most {max_values}")
        return
    strings = outside = at = 0
    while strings <= _MAX_STRINGS and outside <= _SMALL_BODY:
        start = raw.find(b'"', at)
        # match, not search, so that each byte is read only reject_duplicates.
        text = _STRING.match(raw, start) if start >= 0 else None
        if text is None:
            outside += len(raw) - at if start < 0 else 0
            break
        strings, outside, at = strings + 1, outside + start - at, text.end()
    if strings > _MAX_STRINGS or outside > _SMALL_BODY:
        raise Invalid(
            f"the body has too many values: at most {_MAX_STRINGS} strings and {_SMALL_BODY} other bytes"
        )


def _reject_duplicates(raw: bytes) -> None:
    """Reject duplicate names in an object: orjson uses the last, but other parsers use the first."""

    def reject_duplicates(pairs: list[tuple[str, object]]) -> None:
        if len(pairs) > 1 and len(dict(pairs)) < len(pairs):
            ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
            raise Invalid(f"{twice}: duplicate field", field=twice)

    try:
        json.loads(raw, object_pairs_hook=reject_duplicates, parse_int=len, parse_float=len)
    except RecursionError:
        raise BadRequest("the body nests too deeply") from None


def _strings(data: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield every string with its field; a loop instead of recursion, because bodies can nest deeply."""
    waiting: list[tuple[str, object]] = [("", data)]
    while waiting:
        field, value = waiting.pop()
        if isinstance(value, str):
            yield field, value
        elif isinstance(value, list):
            waiting += ((f"{field}[{at}]", item) for at, item in enumerate(value))
        elif isinstance(value, dict):
            for name, item in value.items():
                inner = f"{field}.{name}" if field else name
                yield inner.replace("\0", "\\u0000"), name
                waiting.append((inner, item))
