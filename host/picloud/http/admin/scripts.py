"""Scripts of an app."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from picloud.errors import BadRequest, Invalid
from picloud.http.admin.endpoint import Call, Endpoint, ListQuery
from picloud.http.fields import Body, Query
from picloud.http.services import Services
from picloud.services.page import Page
from picloud.services.script_draft import Draft
from picloud.services.scripts import Script, ScriptSummary

_ABOUT_THE_SAVE = frozenset({"version", "message"})
_MAX_MESSAGE = 1024
_VERSION_TAG = re.compile(r'(?:W/)?"?([1-9][0-9]{0,9})"?', re.ASCII)


class NewScript(Body):
    """What a script is made from."""

    name: str
    source: str
    kind: str = "endpoint"
    description: str = ""
    sandbox: dict[str, int] = Field(default_factory=dict)
    execute_access: str = "open"
    message: str = Field("", max_length=_MAX_MESSAGE)


class ScriptPatch(Body):
    """A JSON merge patch of a script: what is absent stays, null clears."""

    name: str | None = None
    source: str | None = None
    kind: str | None = None
    description: str | None = None
    sandbox: dict[str, int | None] | None = None
    execute_access: str | None = None
    version: int | None = Field(None, ge=1)
    message: str | None = Field(None, max_length=_MAX_MESSAGE)

    @property
    def changes(self) -> dict[str, Any]:
        """The fields that are there, of those that are saved."""
        return {name: getattr(self, name) for name in self.model_fields_set - _ABOUT_THE_SAVE}


class Source(Body):
    """A source to check."""

    source: str
    kind: str = "endpoint"


class DeleteQuery(Query):
    """How to delete."""

    force: bool = False


async def create(services: Services, call: Call[NewScript, Any]) -> Script:
    """Make a script."""
    body = call.body
    draft = Draft(body.name, body.source, body.kind, body.description, body.sandbox, body.execute_access)
    return await services.scripts.create(call.app.id, draft, call.principal.user_id, body.message)


async def list_(services: Services, call: Call[Any, ListQuery]) -> Page[ScriptSummary]:
    """List an app's scripts."""
    return await services.scripts.list(call.app.id, call.query.page)


async def get(services: Services, call: Call[Any, Any]) -> Script:
    """Show a script."""
    return call.script


async def update(services: Services, call: Call[ScriptPatch, Any]) -> Script:
    """Save the next version."""
    body = call.body
    return await services.scripts.update(
        call.script,
        body.changes,
        expected_version(call.headers, body.version),
        call.principal.user_id,
        body.message or "",
    )


async def delete(services: Services, call: Call[Any, DeleteQuery]) -> None:
    """Delete a script."""
    await services.scripts.delete(call.script, call.query.force)


async def validate(services: Services, call: Call[Source, Any]) -> dict[str, bool]:
    """Check a source."""
    await services.scripts.validate(call.body.source, call.body.kind)
    return {"valid": True}


def expected_version(headers: Mapping[str, str], in_body: int | None) -> int | None:
    """The version a change was made for.

    Args:
        headers: `If-Match` may have it, with or without quotes; `*` is any.
        in_body: `version` of the body.

    Returns:
        The version, or None where none was given.

    Raises:
        BadRequest: the header is no version.
        Invalid: the two contradict each other.
    """
    header = headers.get("If-Match", "*").strip()
    if header == "*":
        return in_body
    match = _VERSION_TAG.fullmatch(header)
    if match is None:
        raise BadRequest('If-Match must be a version, for example "3"')
    version = int(match[1])
    if in_body is not None and in_body != version:
        raise Invalid("If-Match and version are not the same", field="version")
    return version


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/apps/{app}/scripts",
        handle=create,
        access="script.write",
        action="script.create",
        status=201,
        body=NewScript,
        summary="Make a script",
    ),
    Endpoint(
        method="GET",
        path="/apps/{app}/scripts",
        handle=list_,
        access="app.read",
        query=ListQuery,
        summary="List an app's scripts, without their sources",
    ),
    Endpoint(
        method="POST",
        path="/apps/{app}/scripts:validate",
        handle=validate,
        access="script.write",
        action="script.validate",
        body=Source,
        summary="Check a source without saving it",
    ),
    Endpoint(method="GET", path="/scripts/{script}", handle=get, access="app.read", summary="Show a script"),
    Endpoint(
        method="PATCH",
        path="/scripts/{script}",
        handle=update,
        access="script.write",
        action="script.update",
        body=ScriptPatch,
        summary="Save the next version of a script",
    ),
    Endpoint(
        method="DELETE",
        path="/scripts/{script}",
        handle=delete,
        access="script.delete",
        action="script.delete",
        status=204,
        query=DeleteQuery,
        summary="Delete a script",
    ),
)
