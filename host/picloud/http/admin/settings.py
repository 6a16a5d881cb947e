"""Settings of an app."""

from __future__ import annotations

from typing import Any

from picloud.control.app_settings import AppSettings
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint
from picloud.http.admin.fields import Body


class CorsPatch(Body):
    """A JSON merge patch of the CORS settings: what is absent stays, null is the default.

    Attributes:
        origins: exact origins as browsers write them, or `*` alone for every one; needed at first.
        methods: methods pages may use, or `*` alone; all of them by default.
        headers: request headers they may set, or `*` alone; authorization and content-type by default.
        expose_headers: response headers they may read, or `*` alone; none by default.
        credentials: whether cookies and Authorization may come along; not together with any `*`.
        max_age_seconds: how long a browser may remember the answer, 0 to 86,400; 600 by default.
    """

    origins: list[str] | None = None
    methods: list[str] | None = None
    headers: list[str] | None = None
    expose_headers: list[str] | None = None
    credentials: bool | None = None
    max_age_seconds: int | None = None


class SettingsPatch(Body):
    """A JSON merge patch of the settings: what is absent stays, null clears.

    Attributes:
        cors: what pages of other origins may do; null for what browsers allow by themselves.
    """

    cors: CorsPatch | None = None

    @property
    def changes(self) -> dict[str, Any]:
        """The fields that are there."""
        return self.model_dump(exclude_unset=True)


async def get(platform: Platform, call: AdminCall[Any, Any]) -> AppSettings:
    """Show the settings."""
    return await platform.settings.get(call.app.id)


async def update(platform: Platform, call: AdminCall[SettingsPatch, Any]) -> AppSettings:
    """Change the settings."""
    return await platform.settings.update(call.app.id, call.body.changes, call.actor)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/apps/{app}/settings",
        handle=get,
        access="app.read",
        summary="Show an app's settings",
    ),
    Endpoint(
        method="PATCH",
        path="/apps/{app}/settings",
        handle=update,
        access="app.admin",
        action="settings.update",
        body=SettingsPatch,
        summary="Change an app's settings",
    ),
)
