"""Errors of a model use the terms of JSON, not of Python."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from picloud.core.validation_messages import describe_validation_error


class Order(BaseModel):
    """A model with a field of every kind that bodies and files have."""

    model_config = ConfigDict(strict=True)

    name: str = ""
    count: int = 1
    open: bool = True
    tags: list[str] = []
    data: dict[str, Any] = {}
    kind: Literal["one", "two"] = "one"


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", 1, "must be a string"),
        ("count", "1", "must be an integer"),
        ("count", 1.5, "must be an integer"),
        ("open", 1, "must be true or false"),
        ("tags", "a", "must be a list"),
        ("data", [], "must be an object: names and values"),
        ("kind", "three", "must be 'one' or 'two'"),
    ],
)
def test_a_value_of_the_wrong_type_names_the_right_type(field: str, value: object, says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Order.model_validate({field: value})
    (problem,) = refused.value.errors()
    assert describe_validation_error(problem["type"], problem["msg"]) == says
