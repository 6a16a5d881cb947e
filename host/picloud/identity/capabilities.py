"""One function decides who may do what."""

from __future__ import annotations

from uuid import UUID

from picloud.errors import Forbidden, Unauthenticated
from picloud.identity.principal import Principal

APP_CAPABILITIES = (
    "app.read",
    "kv.read",
    "docs.read",
    "files.read",
    "log.read",
    "script.write",
    "kv.write",
    "docs.write",
    "files.write",
    "pubsub.publish",
    "http.request",
    "route.write",
    "domain.manage",
    "app.admin",
    "trigger.manage",
    "dead_letter.manage",
    "topic.manage",
    "secret.manage",
    "script.delete",
)
INSTANCE_CAPABILITIES = ("instance.create_app", "instance.manage_users", "instance.manage_settings")

_KNOWN = frozenset(APP_CAPABILITIES + INSTANCE_CAPABILITIES)


def authorise(principal: Principal | None, capability: str, app_id: UUID | None = None) -> Principal:
    """Decide whether a principal may do something.

    Owners are the only users there are so far, and an owner may do everything.

    Args:
        principal: who acts, or None for nobody; an inactive user never becomes a principal.
        capability: one of `APP_CAPABILITIES` or `INSTANCE_CAPABILITIES`.
        app_id: the app it happens in, or None for the instance.

    Returns:
        The principal.

    Raises:
        Unauthenticated: nobody acts.
        Forbidden: they may not.
    """
    if capability not in _KNOWN:
        raise ValueError(f"there is no capability {capability!r}")
    if principal is None:
        raise Unauthenticated
    if principal.role != "owner":
        raise Forbidden(f"this needs the capability {capability}", capability=capability)
    return principal


def app_capabilities(principal: Principal, app_id: UUID) -> tuple[str, list[str]]:
    """What a principal may do in an app, so that a user interface need not know the rules.

    Args:
        principal: who asks.
        app_id: the app.

    Returns:
        Their role in the app and their capabilities there.
    """
    return ("app_admin", list(APP_CAPABILITIES)) if principal.role == "owner" else ("none", [])
