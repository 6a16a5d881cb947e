"""Promises of http/openapi/markdown.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from picloud.cli.configuration import api
from picloud.http.openapi.markdown import type_of

ROOT = Path(__file__).parents[4]


def test_the_reference_of_the_api_is_what_serves() -> None:
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    assert page == api(), "run: .venv/bin/picloud config --reference api > docs/api.md"


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({}, "anything"),
        ({"type": "string", "format": "uuid"}, "uuid"),
        ({"enum": ["a", "b"]}, '"a" or "b"'),
        ({"anyOf": [{"$ref": "#/components/schemas/App"}, {"type": "null"}]}, "App or null"),
        (
            {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
            "list of (string or null)",
        ),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "object of integer"),
        ({"type": "object", "additionalProperties": False}, "object"),
    ],
)
def test_a_type_is_described_briefly(schema: dict[str, object], text: str) -> None:
    assert type_of(schema) == text
