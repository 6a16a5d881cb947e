"""Versions of a script."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from picloud.control.scripts.model import Script
from picloud.control.scripts.versions import LAST_VERSION, Version, VersionSummary
from picloud.core.errors import Conflict, PreconditionFailed, QuotaExceeded, ScriptInvalid
from picloud.core.pagination import Page
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint, ListQuery
from picloud.http.admin.fields import Body, Query
from picloud.http.admin.scripts import MAX_MESSAGE, expected_version, precondition


class Restore(Body):
    """Options of a restore.

    Attributes:
        message: describes the change in the list of versions; names the restored version by default.
        version: the version you expect to be current; 409 if it is not.
    """

    message: str | None = Field(None, max_length=MAX_MESSAGE)
    version: int | None = Field(None, ge=1)


class DiffQuery(Query):
    """The versions to compare.

    Attributes:
        from_: the older version; by default the one before `to`.
        to: the newer version; by default the current one.
    """

    from_: int | None = Field(None, alias="from", ge=1, le=LAST_VERSION)
    to: int | None = Field(None, ge=1, le=LAST_VERSION)


Diff = TypedDict(
    "Diff",
    {
        "from": int,
        "to": int,
        "diff": str,
        "changes": dict[str, Annotated[list[str | int | None], Field(min_length=2, max_length=2)]],
    },
)
Diff.__doc__ = """The changes between two versions.

Attributes:
    from: the older version.
    to: the newer version.
    diff: a unified diff of the sources.
    changes: [before, after] of every other changed field, by name.
"""


async def list_(platform: Platform, call: AdminCall[Any, ListQuery]) -> Page[VersionSummary]:
    """List a script's versions."""
    script = call.script
    return await platform.script_versions.list(script.app_id, script.id, call.query.page)


async def get(platform: Platform, call: AdminCall[Any, Any]) -> Version:
    """Return a version."""
    script = call.script
    return await platform.script_versions.get(script.app_id, script.id, call.path["version"])


async def restore(platform: Platform, call: AdminCall[Restore, Any]) -> Script:
    """Save an earlier version as a new one."""
    script, body = call.script, call.body
    version = await platform.script_versions.get(script.app_id, script.id, call.path["version"])
    with precondition(call.headers):
        return await platform.scripts.restore(
            script,
            version,
            expected_version(call.headers, body.version),
            message=body.message or "",
            actor=call.actor,
        )


async def diff(platform: Platform, call: AdminCall[Any, DiffQuery]) -> Diff:
    """Compare two versions."""
    script, query = call.script, call.query
    new = query.to or script.version
    old = query.from_ or max(new - 1, 1)
    found = await platform.script_versions.compare(script.app_id, script.id, old, new)
    changes = {name: [*pair] for name, pair in found.changes.items()}
    return {"from": found.old, "to": found.new, "diff": found.text, "changes": changes}


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/scripts/{script}/versions",
        handle=list_,
        access="app.read",
        query=ListQuery,
        summary="List the versions of a script, newest first, without sources",
    ),
    Endpoint(
        method="GET",
        path="/scripts/{script}/versions/{version}",
        handle=get,
        access="app.read",
        summary="Get a version of a script",
    ),
    Endpoint(
        method="POST",
        path="/scripts/{script}/versions/{version}:restore",
        handle=restore,
        access="script.write",
        action="script.restore",
        body=Restore,
        headers=("If-Match",),
        errors=(Conflict, PreconditionFailed, ScriptInvalid, QuotaExceeded),
        summary="Restore an earlier version of a script, as a new version",
    ),
    Endpoint(
        method="GET",
        path="/scripts/{script}/diff",
        handle=diff,
        access="app.read",
        query=DiffQuery,
        summary="Compare two versions of a script",
    ),
)
