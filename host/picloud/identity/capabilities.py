"""Permissions: one table of capabilities, and one function that decides by it.

A call is allowed when the role grants the capability and, for a key, a scope covers it and the key's app
matches. The page `docs/capabilities.md` and the tests of every combination use the same table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args
from uuid import UUID

from picloud.core.errors import Forbidden, Unauthenticated
from picloud.identity.principal import AppRole, Principal, Role

INSTANCE_ROLES: tuple[Role, ...] = ("member", "admin", "owner")
APP_ROLES: tuple[AppRole, ...] = ("viewer", "editor", "app_admin")
"""From least to most."""

Scope: TypeAlias = Literal[
    "script:read",
    "script:write",
    "route:write",
    "domain:manage",
    "app:admin",
    "log:read",
    "instance:admin",
]
SCOPES: tuple[Scope, ...] = get_args(Scope)
INSTANCE_SCOPES = frozenset({"instance:admin"})


@dataclass(frozen=True, slots=True)
class Capability:
    """A permission.

    Attributes:
        name: as endpoints and services name it.
        scope: the scope a key requires.
        least_role: the lowest role that has it; an instance role when the level is "instance".
        level: whether it applies to an app or to the instance.
        about: what it allows.
    """

    name: str
    scope: str
    least_role: Role | AppRole
    level: Literal["app", "instance"]
    about: str


def _in_app(name: str, scope: str, least_role: AppRole, about: str) -> Capability:
    return Capability(name, scope, least_role, "app", about)


CAPABILITIES: tuple[Capability, ...] = (
    _in_app("app.read", "script:read", "viewer", "See the app, its scripts, versions, routes and domains"),
    _in_app("vars.read", "script:read", "viewer", "Read variables"),
    _in_app("kv.read", "script:read", "viewer", "Read key-value entries"),
    _in_app("docs.read", "script:read", "viewer", "Read documents"),
    _in_app("files.read", "script:read", "viewer", "Read files"),
    _in_app("log.read", "log:read", "viewer", "Read the figures, errors and log lines of executions"),
    _in_app(
        "log.read_bodies", "log:read", "editor", "Read the headers, queries and bodies of recorded executions"
    ),
    _in_app("script.write", "script:write", "editor", "Create, update and restore scripts"),
    _in_app("vars.write", "script:write", "editor", "Set and delete variables"),
    _in_app("kv.write", "script:write", "editor", "Create, update and delete key-value entries"),
    _in_app("docs.write", "script:write", "editor", "Create, update and delete documents"),
    _in_app("files.write", "script:write", "editor", "Create, update and delete files"),
    _in_app("pubsub.publish", "script:write", "editor", "Publish messages"),
    _in_app("http.request", "script:write", "editor", "Make outbound HTTP calls from a script"),
    _in_app("route.write", "route:write", "editor", "Create, update and delete routes"),
    _in_app("domain.manage", "domain:manage", "app_admin", "Add and delete domains"),
    _in_app("app.admin", "app:admin", "app_admin", "Update and delete the app, its settings and its members"),
    _in_app("trigger.manage", "app:admin", "app_admin", "Create, update and delete triggers"),
    _in_app("dead_letter.manage", "app:admin", "app_admin", "Replay and resolve dead letters"),
    _in_app("topic.manage", "app:admin", "app_admin", "Register topics and make them public"),
    _in_app("secret.manage", "app:admin", "app_admin", "Set and delete secrets"),
    _in_app("script.delete", "app:admin", "app_admin", "Delete scripts"),
    Capability("instance.create_app", "instance:admin", "admin", "instance", "Create apps"),
    Capability(
        "instance.manage_users", "instance:admin", "admin", "instance", "Create, update and delete users"
    ),
    Capability("instance.manage_settings", "instance:admin", "owner", "instance", "Read the whole audit log"),
)

_BY_NAME = {capability.name: capability for capability in CAPABILITIES}
_RANK: dict[str, int] = {
    role: rank for roles in (INSTANCE_ROLES, APP_ROLES) for rank, role in enumerate(roles)
}


def app_role(principal: Principal, app_id: UUID) -> AppRole | None:
    """Return a user's role in an app, ignoring their key.

    Args:
        principal: the user.

    Returns:
        "app_admin" for owners and admins; for a member, their role or None.
    """
    if principal.role in ("owner", "admin"):
        return "app_admin"
    return principal.memberships.get(app_id)


def may(principal: Principal, capability: str, app_id: UUID | None = None) -> bool:
    """Return whether a principal has a capability, by role, scope and app of the key.

    Args:
        principal: the caller; inactive users have no principal.
        capability: a name of `CAPABILITIES`.
        app_id: the app; None for an instance capability, or when the app does not exist.
    """
    wanted = _BY_NAME[capability]
    key = principal.key
    if key is not None and (
        wanted.scope not in key.scopes or (key.app_id is not None and key.app_id != app_id)
    ):
        return False
    if wanted.level == "instance":
        role: str | None = principal.role
    elif app_id is None:
        return sees_all_apps(principal)
    else:
        role = app_role(principal, app_id)
    return role is not None and _RANK[role] >= _RANK[wanted.least_role]


def sees_all_apps(principal: Principal) -> bool:
    """Return whether a principal can see every app, so that a missing app is a 404 for them, not a 403.

    Returns:
        True for owners and admins, unless they use a key for one app.
    """
    return principal.role != "member" and (principal.key is None or principal.key.app_id is None)


def authorise(principal: Principal | None, capability: str, app_id: UUID | None = None) -> Principal:
    """Require a capability.

    Args:
        principal: the caller, or None for an anonymous caller.
        capability: a name of `CAPABILITIES`.
        app_id: see `may`.

    Returns:
        The principal.

    Raises:
        Unauthenticated: the caller is anonymous.
        Forbidden: the capability is missing. The message does not reveal whether the app exists.
    """
    if principal is None:
        raise Unauthenticated
    if not may(principal, capability, app_id):
        raise Forbidden(_needed(principal, capability, app_id), capability=capability)
    return principal


def _needed(principal: Principal, capability: str, app_id: UUID | None) -> str:
    """The message of a denial: the missing scope if the role suffices, else the required role."""
    wanted, key = _BY_NAME[capability], principal.key
    requirement = f"requires the capability {capability}"
    if (
        key is not None
        and key.app_id in (None, app_id)
        and may(replace(principal, key=None), capability, app_id)
    ):
        return f"{requirement}; the key lacks the scope {wanted.scope}"
    where = " in the app" if wanted.level == "app" else ""
    return f"{requirement} (role {wanted.least_role}{where})"


def app_capabilities(principal: Principal, app_id: UUID) -> tuple[AppRole | None, list[str]]:
    """Return a principal's role and capabilities in an app, for user interfaces.

    Returns:
        The role in the app and the names of the capabilities.
    """
    allowed = [one.name for one in CAPABILITIES if one.level == "app" and may(principal, one.name, app_id)]
    return app_role(principal, app_id), allowed


def instance_capabilities(principal: Principal) -> list[str]:
    """Return the names of a principal's instance capabilities."""
    return [one.name for one in CAPABILITIES if one.level == "instance" and may(principal, one.name)]
