"""Scripts of an app."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from picloud.control.record_bodies import RecordBodies
from picloud.control.scripts.draft import Access, Draft, Kind
from picloud.control.scripts.imports import Import
from picloud.control.scripts.model import Script, ScriptSummary
from picloud.core.errors import (
    BadRequest,
    Conflict,
    Invalid,
    Outdated,
    Overloaded,
    PreconditionFailed,
    QuotaExceeded,
    ScriptInvalid,
    Throttled,
)
from picloud.core.numbers import read_integer
from picloud.core.pagination import Page
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import MAX_SOURCE_BODY, AdminCall, Endpoint, ForceQuery, ListQuery
from picloud.http.admin.fields import Body

_ABOUT_THE_SAVE = frozenset({"version", "message"})
MAX_MESSAGE = 1024
_VERSION_TAG = re.compile(r'(?:W/)?"?([1-9][0-9]{0,9})"?', re.ASCII)


class NewScript(Body):
    """A new script.

    Attributes:
        execute_access: who can execute it by its id: `open` for every caller, `members` for users who can
            read the app, `routed` for every caller while a route leads to it and else for members.
        record_bodies: which bodies of its executions are recorded; null for the setting of the app.
        message: describes the change in the list of versions.
    """

    name: str
    source: str
    kind: Kind = "endpoint"
    description: str = ""
    sandbox: dict[str, int] = Field(default_factory=dict)
    execute_access: Access = "routed"
    record_bodies: RecordBodies | None = None
    message: str = Field("", max_length=MAX_MESSAGE)


class ScriptPatch(Body):
    """A JSON merge patch of a script: absent fields keep their value, null clears.

    Attributes:
        version: the version you changed; 409 if it is no longer the current one.
        message: describes the change in the list of versions.
    """

    name: str | None = None
    source: str | None = None
    kind: Kind | None = None
    description: str | None = None
    sandbox: dict[str, int | None] | None = None
    execute_access: Access | None = None
    record_bodies: RecordBodies | None = None
    version: int | None = Field(None, ge=1)
    message: str | None = Field(None, max_length=MAX_MESSAGE)

    @property
    def changes(self) -> dict[str, Any]:
        """The fields to change."""
        return {name: getattr(self, name) for name in self.model_fields_set - _ABOUT_THE_SAVE}


class Source(Body):
    """Source code to check.

    Attributes:
        source: the Rhai source.
        kind: check it as a script of this kind.
    """

    source: str
    kind: Kind = "endpoint"


@dataclass(frozen=True, slots=True)
class Valid:
    """A valid source.

    Attributes:
        valid: always true; an invalid source is an error.
        imports: its imports by literal name, with the scripts of the app that these names refer to now.
    """

    imports: list[Import]
    valid: Literal[True] = True


async def create(platform: Platform, call: AdminCall[NewScript, Any]) -> Script:
    """Create a script."""
    body = call.body
    draft = Draft(
        body.name,
        body.source,
        body.kind,
        body.description,
        body.sandbox,
        body.execute_access,
        body.record_bodies,
    )
    return await platform.scripts.create(call.app.id, draft, message=body.message, actor=call.actor)


async def list_(platform: Platform, call: AdminCall[Any, ListQuery]) -> Page[ScriptSummary]:
    """List an app's scripts."""
    return await platform.scripts.list(call.app.id, call.query.page)


async def get(platform: Platform, call: AdminCall[Any, Any]) -> Script:
    """Return a script."""
    return call.script


async def update(platform: Platform, call: AdminCall[ScriptPatch, ForceQuery]) -> Script:
    """Save a new version."""
    body = call.body
    with precondition(call.headers):
        return await platform.scripts.update(
            call.script,
            body.changes,
            expected_version(call.headers, body.version),
            message=body.message or "",
            force=call.query.force,
            actor=call.actor,
        )


async def delete(platform: Platform, call: AdminCall[Any, ForceQuery]) -> None:
    """Delete a script."""
    await platform.scripts.delete(call.script, force=call.query.force, actor=call.actor)


async def validate(platform: Platform, call: AdminCall[Source, Any]) -> Valid:
    """Check a source without saving it."""
    body = call.body
    return Valid(list(await platform.scripts.validate(call.app.id, body.source, body.kind)))


def expected_version(headers: Mapping[str, str], in_body: int | None) -> int | None:
    """Return the version that the caller expects to change.

    Args:
        headers: `If-Match` can contain it, with or without quotes; `*` means any version.
        in_body: `version` of the body.

    Returns:
        The version; None if neither contains one.

    Raises:
        BadRequest: the header is not a version.
        Invalid: header and body are different.
    """
    if _is_any(headers):
        return in_body
    match = _VERSION_TAG.fullmatch(headers["If-Match"].strip())
    if match is None:
        raise BadRequest('If-Match must be a version, for example "3"')
    version = read_integer(match[1])
    if in_body is not None and in_body != version:
        raise Invalid("If-Match and version are different", field="version")
    return version


@contextmanager
def precondition(headers: Mapping[str, str]) -> Iterator[None]:
    """Turn the error of an outdated version into 412, if `If-Match` named it (RFC 9110, 13.1.1)."""
    try:
        yield
    except Outdated as error:
        if _is_any(headers):
            raise
        raise PreconditionFailed(error.message, **error.details) from None


def _is_any(headers: Mapping[str, str]) -> bool:
    return headers.get("If-Match", "*").strip() == "*"


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/apps/{app}/scripts",
        handle=create,
        access="script.write",
        action="script.create",
        status=201,
        body=NewScript,
        max_body=MAX_SOURCE_BODY,
        errors=(Conflict, ScriptInvalid, Throttled, Overloaded, QuotaExceeded),
        summary="Create a script",
    ),
    Endpoint(
        method="GET",
        path="/apps/{app}/scripts",
        handle=list_,
        access="app.read",
        query=ListQuery,
        summary="List the scripts of an app, without sources",
    ),
    Endpoint(
        method="POST",
        path="/apps/{app}/scripts:validate",
        handle=validate,
        access="script.write",
        action="script.validate",
        body=Source,
        max_body=MAX_SOURCE_BODY,
        errors=(ScriptInvalid, Throttled, Overloaded),
        summary="Check a source without saving it",
    ),
    Endpoint(method="GET", path="/scripts/{script}", handle=get, access="app.read", summary="Get a script"),
    Endpoint(
        method="PATCH",
        path="/scripts/{script}",
        handle=update,
        access="script.write",
        action="script.update",
        body=ScriptPatch,
        query=ForceQuery,
        max_body=MAX_SOURCE_BODY,
        headers=("If-Match",),
        errors=(Conflict, PreconditionFailed, ScriptInvalid, Throttled, QuotaExceeded),
        summary="Update a script: save a new version",
    ),
    Endpoint(
        method="DELETE",
        path="/scripts/{script}",
        handle=delete,
        access="script.delete",
        action="script.delete",
        status=204,
        query=ForceQuery,
        errors=(Conflict,),
        summary="Delete a script",
    ),
)
