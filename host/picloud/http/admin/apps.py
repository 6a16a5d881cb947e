"""Apps."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from pydantic import Field

from picloud.control.apps import App
from picloud.control.slugs import SlugState
from picloud.core.errors import Conflict, Forbidden
from picloud.core.pagination import Page
from picloud.core.validation import MAX_DESCRIPTION, MAX_NAME
from picloud.execution.platform import Platform
from picloud.http.admin.endpoint import AdminCall, Endpoint, ForceQuery, ListQuery
from picloud.http.admin.fields import Body
from picloud.identity.capabilities import app_capabilities, may
from picloud.identity.principal import AppRole, Principal

_HOW = frozenset({"takeover"})


class NewApp(Body):
    """A new app.

    Attributes:
        slug: 1 to 63 lowercase letters, digits and hyphens.
        name: display name.
        description: free text.
        takeover: use the slug even if it is a former slug of another app; requires `app.admin` there too.
    """

    slug: str
    name: str = Field(min_length=1, max_length=MAX_NAME)
    description: str = Field("", max_length=MAX_DESCRIPTION)
    takeover: bool = False


class AppPatch(Body):
    """A JSON merge patch of an app: absent fields keep their value, null clears.

    Attributes:
        slug: 1 to 63 lowercase letters, digits and hyphens; the former slug keeps working.
        name: display name.
        description: free text.
        takeover: use the slug even if it is a former slug of another app; requires `app.admin` there too.
    """

    slug: str | None = None
    name: str | None = Field(None, min_length=1, max_length=MAX_NAME)
    description: str | None = Field(None, max_length=MAX_DESCRIPTION)
    takeover: bool = False

    @property
    def changes(self) -> dict[str, Any]:
        """The fields to change."""
        return {name: getattr(self, name) for name in self.model_fields_set - _HOW}


class WantedSlug(Body):
    """A slug to check."""

    slug: str


@dataclass(frozen=True, slots=True)
class AppShown(App):
    """An app, with the caller's role and capabilities in it.

    Attributes:
        my_role: the caller's role in the app; None if they have none.
        my_capabilities: the caller's capabilities in the app.
    """

    my_role: AppRole | None
    my_capabilities: list[str]


def shown(app: App, principal: Principal) -> AppShown:
    """Add the caller's role and capabilities to an app."""
    role, capabilities = app_capabilities(principal, app.id)
    known = {field.name: getattr(app, field.name) for field in fields(app)}
    return AppShown(**known, my_role=role, my_capabilities=capabilities)


async def create(platform: Platform, call: AdminCall[NewApp, Any]) -> AppShown:
    """Create an app."""
    body = call.body
    app = await platform.apps.create(
        body.slug, body.name, body.description, takeover=body.takeover, actor=call.actor
    )
    return shown(app, call.principal)


async def list_(platform: Platform, call: AdminCall[Any, ListQuery]) -> Page[AppShown]:
    """List apps."""
    page = await platform.apps.list(call.query.page, call.principal)
    return Page([shown(app, call.principal) for app in page.items], page.next_cursor)


async def get(platform: Platform, call: AdminCall[Any, Any]) -> AppShown:
    """Return one app."""
    return shown(call.app, call.principal)


async def update(platform: Platform, call: AdminCall[AppPatch, Any]) -> AppShown:
    """Update an app."""
    body = call.body
    app = await platform.apps.update(call.app, body.changes, takeover=body.takeover, actor=call.actor)
    return shown(app, call.principal)


async def delete(platform: Platform, call: AdminCall[Any, ForceQuery]) -> None:
    """Delete an app."""
    await platform.apps.delete(call.app, force=call.query.force, actor=call.actor)
    app_id = call.app.id
    platform.background.spawn(f"what {app_id} stored", lambda: platform.services.app_deleted(app_id))


async def check_slug(platform: Platform, call: AdminCall[WantedSlug, Any]) -> SlugState:
    """Check whether a slug is available."""
    # The result reveals existing slugs, so only callers who can set a slug get it.
    principal = call.principal
    bound = principal.key.app_id if principal.key is not None else None
    apps = {None, bound, *principal.memberships}
    if not may(principal, "instance.create_app") and not any(
        may(principal, "app.admin", app) for app in apps
    ):
        raise Forbidden("requires the capability app.admin in an app", capability="app.admin")
    return await platform.apps.slug_state(call.body.slug, principal)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/apps",
        handle=create,
        access="instance.create_app",
        action="app.create",
        status=201,
        body=NewApp,
        errors=(Conflict,),
        summary="Create an app",
    ),
    Endpoint(
        method="GET",
        path="/apps",
        handle=list_,
        access="user",
        query=ListQuery,
        summary="List your apps",
    ),
    Endpoint(
        method="POST",
        path="/apps/slug:check",
        handle=check_slug,
        access="user",
        action="slug.check",
        body=WantedSlug,
        summary="Check whether a slug is free, in use, or a former slug of an app",
    ),
    Endpoint(
        method="GET",
        path="/apps/{app}",
        handle=get,
        access="app.read",
        summary="Get an app by its id, its slug or a former slug",
    ),
    Endpoint(
        method="PATCH",
        path="/apps/{app}",
        handle=update,
        access="app.admin",
        action="app.update",
        body=AppPatch,
        errors=(Conflict,),
        summary="Update an app",
    ),
    Endpoint(
        method="DELETE",
        path="/apps/{app}",
        handle=delete,
        access="app.admin",
        action="app.delete",
        status=204,
        query=ForceQuery,
        errors=(Conflict,),
        summary="Delete an app and all its data",
    ),
)
