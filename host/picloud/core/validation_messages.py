"""Validation errors in words for the author of the input."""

from __future__ import annotations

_KINDS = {
    "missing": "is required",
    "string_type": "must be a string",
    "int_type": "must be an integer",
    "int_from_float": "must be an integer",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object: names and values",
    "model_type": "must be an object: names and values",
}
"""Kinds of pydantic's errors, whose own words are about Python's types."""


def describe_validation_error(kind: str, message: str) -> str:
    """Describe a validation error, to follow the name of the field.

    Args:
        kind: pydantic's `type` of the error.
        message: pydantic's own words, for all that is not said better here.
    """
    if kind in _KINDS:
        return _KINDS[kind]
    if message.startswith("Input should "):
        return "must " + message.removeprefix("Input should ")
    return message[:1].lower() + message[1:]
