"""The audit log."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from picloud.core.pagination import Page
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint, ListQuery
from picloud.identity.audit import AuditEntry, AuditFilter


class AuditQuery(ListQuery):
    """Which entries.

    Attributes:
        user_id: only of this user.
        action: only of this name, for example `script.update`.
        outcome: only what was done, or only what was refused.
    """

    user_id: UUID | None = None
    action: str | None = None
    outcome: Literal["done", "refused"] | None = None


class InstanceAuditQuery(AuditQuery):
    """Which entries, of which app.

    Attributes:
        app_id: only of this app.
    """

    app_id: UUID | None = None


async def list_(platform: Platform, call: AdminCall[Any, InstanceAuditQuery]) -> Page[AuditEntry]:
    """List everything."""
    return await _list(platform, call.query, call.query.app_id)


async def of_app(platform: Platform, call: AdminCall[Any, AuditQuery]) -> Page[AuditEntry]:
    """List what happened in an app."""
    return await _list(platform, call.query, call.app.id)


async def _list(platform: Platform, query: AuditQuery, app_id: UUID | None) -> Page[AuditEntry]:
    wanted = AuditFilter(app_id=app_id, user_id=query.user_id, action=query.action, outcome=query.outcome)
    return await platform.audit.list(wanted, query.page)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/audit",
        handle=list_,
        access="instance.manage_settings",
        query=InstanceAuditQuery,
        summary="List who changed what and who was refused what, newest first",
    ),
    Endpoint(
        method="GET",
        path="/apps/{app}/audit",
        handle=of_app,
        access="app.admin",
        query=AuditQuery,
        summary="List who changed what in an app and who was refused what, newest first",
    ),
)
