"""Settings of an app."""

from __future__ import annotations

from typing import Any

from picloud.control.app_settings import AppSettings
from picloud.control.record_bodies import RecordBodies
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint
from picloud.http.admin.fields import Body


class CorsPatch(Body):
    """A JSON merge patch of the CORS settings: absent fields keep their value, null sets the default.

    Attributes:
        origins: allowed origins, as browsers send them, `https://*.example.com` for all hosts below a name,
            `http://localhost:*` for all ports, or only `*` for all; required on first use.
        methods: allowed methods, or only `*` for all; all by default.
        headers: allowed request headers, or only `*` for all; authorization and content-type by default.
        expose_headers: response headers that pages can read, or only `*` for all; none by default.
        credentials: allow cookies and Authorization; cannot be combined with `*`.
        max_age_seconds: how long a browser caches the preflight response, 0 to 86,400; 600 by default.
    """

    origins: list[str] | None = None
    methods: list[str] | None = None
    headers: list[str] | None = None
    expose_headers: list[str] | None = None
    credentials: bool | None = None
    max_age_seconds: int | None = None


class SettingsPatch(Body):
    """A JSON merge patch of the settings: absent fields keep their value, null clears.

    Attributes:
        cors: access for pages of other origins (CORS); null sends no CORS headers.
        record_bodies: which bodies of requests and responses the execution log keeps: `none`, `errors` (of
            executions that failed or returned a 5xx status) or `all`; `errors` by default. A script can have
            its own rule.
        public_errors: give anonymous callers the messages of errors that scripts do not catch; by default
            they get the code and the request id. Messages of PiCloud itself are never given to them.
    """

    cors: CorsPatch | None = None
    record_bodies: RecordBodies | None = None
    public_errors: bool | None = None

    @property
    def changes(self) -> dict[str, Any]:
        """The fields to change."""
        return self.model_dump(exclude_unset=True)


async def get(platform: Platform, call: AdminCall[Any, Any]) -> AppSettings:
    """Return the settings."""
    return await platform.settings.get(call.app.id)


async def update(platform: Platform, call: AdminCall[SettingsPatch, Any]) -> AppSettings:
    """Update the settings."""
    return await platform.settings.update(call.app.id, call.body.changes, call.actor)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/apps/{app}/settings",
        handle=get,
        access="app.read",
        summary="Get the settings of an app",
    ),
    Endpoint(
        method="PATCH",
        path="/apps/{app}/settings",
        handle=update,
        access="app.admin",
        action="settings.update",
        body=SettingsPatch,
        summary="Update the settings of an app",
    ),
)
