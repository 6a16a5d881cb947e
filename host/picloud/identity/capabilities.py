"""Who may do what: one table, and one function that decides by it.

A call is allowed when the role grants the capability AND, for a key, a scope covers it AND the key's
binding matches. The page `docs/capabilities.md` and the tests of every combination are made from the
same table.
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
    """Something one may be allowed to do.

    Attributes:
        name: as endpoints and services name it.
        scope: what a key needs for it.
        least_role: the least role that has it; a role of the instance where the level is "instance".
        level: whether it is asked for in an app or in the instance.
        about: what it lets one do.
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
    _in_app("log.read", "log:read", "viewer", "Read executions and their log lines"),
    _in_app("script.write", "script:write", "editor", "Make, change and restore scripts"),
    _in_app("vars.write", "script:write", "editor", "Set and delete variables"),
    _in_app("kv.write", "script:write", "editor", "Change key-value entries"),
    _in_app("docs.write", "script:write", "editor", "Change documents"),
    _in_app("files.write", "script:write", "editor", "Change files"),
    _in_app("pubsub.publish", "script:write", "editor", "Publish messages"),
    _in_app("http.request", "script:write", "editor", "Let a script call out over HTTP"),
    _in_app("route.write", "route:write", "editor", "Make, change and delete routes"),
    _in_app("domain.manage", "domain:manage", "app_admin", "Claim and release hosts"),
    _in_app("app.admin", "app:admin", "app_admin", "Change and delete the app, its settings and its members"),
    _in_app("trigger.manage", "app:admin", "app_admin", "Make, change and delete triggers"),
    _in_app("dead_letter.manage", "app:admin", "app_admin", "Replay and resolve dead letters"),
    _in_app("topic.manage", "app:admin", "app_admin", "Register topics and open them to the outside"),
    _in_app("secret.manage", "app:admin", "app_admin", "Set and delete secrets"),
    _in_app("script.delete", "app:admin", "app_admin", "Delete scripts"),
    Capability("instance.create_app", "instance:admin", "admin", "instance", "Make apps"),
    Capability(
        "instance.manage_users", "instance:admin", "admin", "instance", "Make, change and delete users"
    ),
    Capability("instance.manage_settings", "instance:admin", "owner", "instance", "Read the whole audit log"),
)

_BY_NAME = {capability.name: capability for capability in CAPABILITIES}
_RANK: dict[str, int] = {
    role: rank for roles in (INSTANCE_ROLES, APP_ROLES) for rank, role in enumerate(roles)
}


def app_role(principal: Principal, app_id: UUID) -> AppRole | None:
    """A user's role in an app, whatever key they act by.

    Args:
        principal: the user.
        app_id: an app, which need not exist.

    Returns:
        "app_admin" for owners and admins; of a member, their membership or None.
    """
    if principal.role in ("owner", "admin"):
        return "app_admin"
    return principal.memberships.get(app_id)


def may(principal: Principal, capability: str, app_id: UUID | None = None) -> bool:
    """Decide whether a principal may do something: by role, scope and binding.

    Args:
        principal: who acts; an inactive user never becomes a principal.
        capability: a name of `CAPABILITIES`.
        app_id: the app it happens in; None for a capability of the instance, or when there is no such app.

    Returns:
        Whether they may.
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
    """Tell whether a principal may know which apps there are, and so get a true 404 for one that is not.

    Args:
        principal: who asks.

    Returns:
        True for owners and admins, unless they act by a key for one app.
    """
    return principal.role != "member" and (principal.key is None or principal.key.app_id is None)


def authorise(principal: Principal | None, capability: str, app_id: UUID | None = None) -> Principal:
    """Let a principal do something, or refuse.

    Args:
        principal: who acts, or None for nobody.
        capability: a name of `CAPABILITIES`.
        app_id: as for `may`.

    Returns:
        The principal.

    Raises:
        Unauthenticated: nobody acts.
        Forbidden: they may not. It says the same for an app of others and one that does not exist.
    """
    if principal is None:
        raise Unauthenticated
    if not may(principal, capability, app_id):
        raise Forbidden(_needed(principal, capability, app_id), capability=capability)
    return principal


def _needed(principal: Principal, capability: str, app_id: UUID | None) -> str:
    """What it takes, for who may not: a scope where that is all that is missing, else a role."""
    wanted, key = _BY_NAME[capability], principal.key
    says = f"this needs the capability {capability}"
    if (
        key is not None
        and key.app_id in (None, app_id)
        and may(replace(principal, key=None), capability, app_id)
    ):
        return f"{says}, for which the key lacks the scope {wanted.scope}"
    article = "a" if wanted.least_role == "viewer" else "an"
    return f"{says}, which {article} {wanted.least_role}{' of the app' if wanted.level == 'app' else ''} has"


def app_capabilities(principal: Principal, app_id: UUID) -> tuple[AppRole | None, list[str]]:
    """What a principal may do in an app, so that a user interface need not know the rules.

    Args:
        principal: who asks.
        app_id: the app.

    Returns:
        Their role in the app and their capabilities there.
    """
    allowed = [one.name for one in CAPABILITIES if one.level == "app" and may(principal, one.name, app_id)]
    return app_role(principal, app_id), allowed


def instance_capabilities(principal: Principal) -> list[str]:
    """What a principal may do in the instance. Args: principal: who asks."""
    return [one.name for one in CAPABILITIES if one.level == "instance" and may(principal, one.name)]
