"""Apps."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from pydantic import Field

from picloud.http.admin.endpoint import Call, Endpoint, ListQuery
from picloud.http.fields import Body
from picloud.http.services import Services
from picloud.identity.capabilities import app_capabilities
from picloud.identity.principal import AppRole, Principal
from picloud.services.apps import App
from picloud.services.page import Page


class NewApp(Body):
    """What an app is made from."""

    slug: str
    name: str = Field(min_length=1, max_length=128)
    description: str = Field("", max_length=4096)


@dataclass(frozen=True, slots=True)
class AppShown(App):
    """An app, with what the caller may do there."""

    my_role: AppRole | None
    my_capabilities: list[str]


def shown(app: App, principal: Principal) -> AppShown:
    """An app as a caller sees it."""
    role, capabilities = app_capabilities(principal, app.id)
    known = {field.name: getattr(app, field.name) for field in fields(app)}
    return AppShown(**known, my_role=role, my_capabilities=capabilities)


async def create(services: Services, call: Call[NewApp, Any]) -> AppShown:
    """Make an app."""
    app = await services.apps.create(call.body.slug, call.body.name, call.body.description)
    return shown(app, call.principal)


async def list_(services: Services, call: Call[Any, ListQuery]) -> Page[AppShown]:
    """List apps."""
    page = await services.apps.list(call.query.page)
    return Page([shown(app, call.principal) for app in page.items], page.next_cursor)


async def get(services: Services, call: Call[Any, Any]) -> AppShown:
    """Show one app."""
    return shown(call.app, call.principal)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/apps",
        handle=create,
        access="instance.create_app",
        action="app.create",
        status=201,
        body=NewApp,
        summary="Make an app",
    ),
    Endpoint(method="GET", path="/apps", handle=list_, access="user", query=ListQuery, summary="List apps"),
    Endpoint(method="GET", path="/apps/{app}", handle=get, access="app.read", summary="Show an app"),
)
