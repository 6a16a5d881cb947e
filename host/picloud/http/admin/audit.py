"""The audit log."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from picloud.core.pagination import Page
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint, ListQuery
from picloud.identity.audit import AuditEntry, AuditFilter


class AuditQuery(ListQuery):
    """Filters of the audit log.

    Attributes:
        user_id: only entries of this user.
        action: only entries with this action, for example `script.update`.
        outcome: only successful (`done`) or only denied and failed (`refused`) actions.
    """

    user_id: UUID | None = None
    action: str | None = None
    outcome: Literal["done", "refused"] | None = None


class InstanceAuditQuery(AuditQuery):
    """Filters of the audit log of the instance.

    Attributes:
        app_id: only entries of this app.
    """

    app_id: UUID | None = None


async def list_(platform: Platform, call: AdminCall[Any, InstanceAuditQuery]) -> Page[AuditEntry]:
    """List the entries of the instance."""
    return await _list(platform, call.query, call.query.app_id)


async def of_app(platform: Platform, call: AdminCall[Any, AuditQuery]) -> Page[AuditEntry]:
    """List the entries of an app."""
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
        summary="List the audit log of the instance, newest first",
    ),
    Endpoint(
        method="GET",
        path="/apps/{app}/audit",
        handle=of_app,
        access="app.admin",
        query=AuditQuery,
        summary="List the audit log of an app, newest first",
    ),
)
