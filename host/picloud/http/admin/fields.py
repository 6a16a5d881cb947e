"""JSON bodies and query strings, checked against models: what is wrong, and where."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import LiteralString, TypeVar, get_args

import orjson
from multidict import MultiMapping
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from picloud.core.errors import BadRequest, Invalid
from picloud.core.validation_messages import describe_validation_error

_SPELLING: dict[type, tuple[re.Pattern[str], LiteralString]] = {
    int: (re.compile(r"0|-?[1-9][0-9]{0,18}"), "must be an integer"),
    bool: (re.compile("true|false"), "must be true or false"),
}

Model = TypeVar("Model", bound=BaseModel)

_SURELY_FEW = 64 * 1024  # bytes: so much is read in a millisecond, whatever it is
_MOST_TEXTS = 10_000
_SHOWN = 50  # problems an answer tells of
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


class Body(BaseModel):
    """Fields of a JSON body: no conversions, no fields that are not named."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Query(BaseModel):
    """Parameters of a query string: all are text, and a number or a truth has one spelling, JSON's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _spelled(cls, value: object, field: ValidationInfo) -> object:
        annotation = cls.model_fields[str(field.field_name)].annotation
        for kind, (spelling, message) in _SPELLING.items():
            if kind in (annotation, *get_args(annotation)) and not spelling.fullmatch(str(value)):
                raise PydanticCustomError("spelling", message)
        return value


def parse_json(model: type[Model], raw: bytes) -> Model:
    """Read a JSON body.

    Args:
        model: what it must be.
        raw: the body.

    Returns:
        The model.

    Raises:
        BadRequest: it is no JSON; details have line and column.
        Invalid: a field is missing, unknown, there twice, of the wrong type, or holds NUL; details name
            each.
    """
    if not raw:
        raise BadRequest("a JSON object is needed as the body")
    _refuse_many(raw)
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise _not_json(raw, error) from None
    if not isinstance(data, dict):
        raise Invalid("the body must be a JSON object")
    if b"\\u0000" in raw:
        _refuse_nul(data)
    body = _validated(model, data)
    _refuse_twice(raw)
    return body


def parse_query(model: type[Model], query: MultiMapping[str]) -> Model:
    """Read a query string.

    Args:
        model: its parameters.
        query: decoded names and values.

    Returns:
        The model.

    Raises:
        Invalid: a parameter is unknown, given twice, not acceptable, or holds NUL.
    """
    data = dict(query.items())
    if len(data) != len(query):
        raise Invalid("a query parameter is given twice")
    if data:
        _refuse_nul(data)
    return _validated(model, data)


def _not_json(raw: bytes, error: orjson.JSONDecodeError) -> BadRequest:
    try:
        raw.decode()
    except UnicodeDecodeError as wrong:  # orjson does not say where
        before = raw[: wrong.start].decode()
        column = len(before) - (before.rfind("\n") + 1) + 1
        return BadRequest("the body is not UTF-8", line=before.count("\n") + 1, column=column)
    return BadRequest(f"the body is not JSON: {error.msg}", line=error.lineno, column=error.colno)


def _validated(model: type[Model], data: Mapping[str, object]) -> Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = [
            {"field": ".".join(map(str, problem["loc"])), "message": _say(problem["type"], problem["msg"])}
            for problem in error.errors(include_url=False, include_context=False, include_input=False)[
                :_SHOWN
            ]
        ]
    first = problems[0]
    raise Invalid(f"{first['field']}: {first['message']}", field=first["field"], problems=problems)


def _say(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "there is no such field"
    return describe_validation_error(kind, message)


def _refuse_nul(data: Mapping[str, object]) -> None:
    for field, text in _texts(data):
        if "\0" in text:
            raise Invalid(f"{field}: holds a NUL character, which cannot be stored", field=field)


def _refuse_many(raw: bytes) -> None:
    """Refuse a body of very many small values, which would be read, checked and complained of for seconds.

    What is large here is a text (a script's source), so everything outside of texts is little.
    """
    if len(raw) <= _SURELY_FEW:
        return
    texts = outside = at = 0
    while texts <= _MOST_TEXTS and outside <= _SURELY_FEW:
        start = raw.find(b'"', at)
        # Matched from here on and never searched for: each byte is looked at once.
        text = _TEXT.match(raw, start) if start >= 0 else None
        if text is None:
            outside += len(raw) - at if start < 0 else 0
            break
        texts, outside, at = texts + 1, outside + start - at, text.end()
    if texts > _MOST_TEXTS or outside > _SURELY_FEW:
        raise Invalid(
            f"the body holds too much: at most {_MOST_TEXTS} texts, and {_SURELY_FEW} bytes besides them"
        )


def _refuse_twice(raw: bytes) -> None:
    """Refuse a name that an object has twice: orjson takes the last, and whoever checked it the first."""

    def once(pairs: list[tuple[str, object]]) -> None:
        if len(pairs) > 1 and len(dict(pairs)) < len(pairs):
            ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
            raise Invalid(f"{twice}: is there twice", field=twice)

    try:
        json.loads(raw, object_pairs_hook=once, parse_int=len, parse_float=len)
    except RecursionError:
        raise BadRequest("the body nests too deeply") from None


def _texts(data: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Every text in the data with the field it is in; a loop, because bodies may nest deeply."""
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
