"""Checks responses against the OpenAPI document."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

from jsonschema_rs import Draft202012Validator

from picloud.http.application import ENDPOINTS, STANDALONE_ENDPOINTS
from picloud.http.openapi.document import document

OURS = ("/api/", "/admin/", "/healthz", "/readyz", "/version")


class Description:
    """The document, asked about one answer at a time."""

    def __init__(self) -> None:
        self.document = document(ENDPOINTS, STANDALONE_ENDPOINTS)
        schemas = _closed(self.document["components"]["schemas"])
        self._components = {**self.document["components"], "schemas": schemas}
        self._paths = {_pattern(path): path for path in sorted(self.document["paths"], key=_names)}
        self._validators: dict[tuple[str, str, str], Draft202012Validator] = {}

    @classmethod
    @functools.cache
    def load(cls) -> Description:
        """The description, made once."""
        return cls()

    def check(self, method: str, path: str, status: int, headers: Mapping[str, str], body: Any) -> None:
        """Assert that an answer is described.

        Args:
            method: of the request.
            path: of the request, raw.
            status: of the answer.
            headers: of the answer.
            body: decoded JSON, or None where it is none.
        """
        path = path.partition("?")[0]
        if not path.startswith(OURS):
            return
        asked = f"{method} {path} -> {status}"
        matching = [template for pattern, template in self._paths.items() if pattern.fullmatch(path)]
        verb = "get" if method == "HEAD" else method.lower()
        template = next((one for one in matching if verb in self.document["paths"][one]), None)
        if template is None:
            allowed = {verb.upper() for one in matching for verb in self.document["paths"][one]}
            assert status == (405 if allowed else 404), asked
            assert set(headers.get("Allow", "").split(", ")) - {"HEAD", ""} == allowed, asked
            if body is not None:
                self._validate("", verb, "error", {"$ref": "#/components/schemas/Error"}, body, asked)
            return
        responses = self.document["paths"][template][verb]["responses"]
        assert str(status) in responses or "default" in responses, f"{asked} is not described"
        response = responses.get(str(status), responses.get("default"))
        if "$ref" in response:
            response = self._components["responses"][response["$ref"].rpartition("/")[2]]
        content = response.get("content", {})
        kind = headers.get("Content-Type", "").partition(";")[0]
        if "*/*" in content or method == "HEAD":
            return
        if not content:
            assert body is None, asked
            return
        assert kind in content, f"{asked} is {kind}"
        if kind == "application/json":
            self._validate(template, verb, str(status), content[kind]["schema"], body, asked)

    def check_event(self, path: str, data: Any) -> None:
        """Assert that an event is described. Args: path: of the stream, raw. data: decoded JSON."""
        path = path.partition("?")[0]
        template = next(one for pattern, one in self._paths.items() if pattern.fullmatch(path))
        schema = self.document["paths"][template]["get"]["responses"]["200"]["x-event-data"]
        self._validate(template, "get", "event", schema, data, f"an event of {path}")

    def _validate(
        self, template: str, verb: str, status: str, schema: dict[str, Any], body: Any, asked: str
    ) -> None:
        key = (template, verb, status)
        if key not in self._validators:
            self._validators[key] = Draft202012Validator(
                {**schema, "components": self._components}, validate_formats=True
            )
        problems = [
            f"{error.instance_path}: {error.message}" for error in self._validators[key].iter_errors(body)
        ]
        assert problems == [], f"{asked} is not as described: {problems}"


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/:]+", re.escape(path)))


def _names(path: str) -> tuple[int, int]:
    """Paths with fewer names and more text first."""
    return path.count("{"), -len(path)


def _closed(schema: Any) -> Any:
    """A schema whose objects have no fields but those it lists: clients may get more, tests may not."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(one) for name, one in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        closed.setdefault("additionalProperties", False)
    return closed
