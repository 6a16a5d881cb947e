"""The expected access of every role, written from the specification and not from the code.

Tests compare the table in `identity/capabilities.py` with this one, and the API with both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

VIEWER = {"app.read", "vars.read", "kv.read", "docs.read", "files.read", "log.read"}
EDITOR = VIEWER | {
    "log.read_bodies",
    "script.write",
    "vars.write",
    "kv.write",
    "docs.write",
    "files.write",
    "pubsub.publish",
    "http.request",
    "route.write",
}
APP_ADMIN = EDITOR | {
    "domain.manage",
    "app.admin",
    "trigger.manage",
    "dead_letter.manage",
    "topic.manage",
    "secret.manage",
    "script.delete",
}
ADMIN = APP_ADMIN | {"instance.create_app", "instance.manage_users"}
OWNER = ADMIN | {"instance.manage_settings"}

ROLES = {"viewer": VIEWER, "editor": EDITOR, "app_admin": APP_ADMIN, "admin": ADMIN, "owner": OWNER}
SCOPES = {
    "script:read": {"app.read", "vars.read", "kv.read", "docs.read", "files.read"},
    "log:read": {"log.read", "log.read_bodies"},
    "script:write": {
        "script.write",
        "vars.write",
        "kv.write",
        "docs.write",
        "files.write",
        "pubsub.publish",
        "http.request",
    },
    "route:write": {"route.write"},
    "domain:manage": {"domain.manage"},
    "app:admin": {
        "app.admin",
        "trigger.manage",
        "dead_letter.manage",
        "topic.manage",
        "secret.manage",
        "script.delete",
    },
    "instance:admin": {"instance.create_app", "instance.manage_users", "instance.manage_settings"},
}

Where = Literal["this", "other", "missing"]
"""The app a principal is a member of or bound to; another one; one that does not exist."""


@dataclass(frozen=True)
class Who:
    """A kind of principal.

    Attributes:
        name: for messages.
        role: of the user: "owner", "admin", "outsider" (a member of no app), one of the roles in `this`
            app, or None for no credentials.
        scopes: of the key they act by, or None in person.
        bound: the app that key is bound to.
    """

    name: str
    role: str | None
    scopes: frozenset[str] | None = None
    bound: Where | None = None

    def may(self, capability: str, where: Where) -> bool:
        """Whether a call that needs a capability is allowed, there being such an app."""
        if self.role is None:
            return False
        if self.scopes is not None and not any(capability in SCOPES[scope] for scope in self.scopes):
            return False
        if capability.startswith("instance."):
            return self.bound is None and self.role in ("owner", "admin") and capability in ROLES[self.role]
        if self.bound is not None and self.bound != where:
            return False
        if self.role in ("owner", "admin"):
            return True
        return where == "this" and capability in ROLES.get(self.role, set())


_APP_SCOPES = frozenset(SCOPES) - {"instance:admin"}
EVERYONE = (
    Who("nobody", None),
    Who("an inactive user", None),
    *(
        Who(f"{role} in person", role)
        for role in ("owner", "admin", "outsider", "viewer", "editor", "app_admin")
    ),
    *(Who(f"key of an owner for {scope}", "owner", frozenset({scope})) for scope in sorted(SCOPES)),
    *(Who(f"key of an editor for {scope}", "editor", frozenset({scope})) for scope in sorted(SCOPES)),
    *(
        Who(f"key of an owner for {scope} of this app", "owner", frozenset({scope}), "this")
        for scope in sorted(_APP_SCOPES)
    ),
    Who("key of an owner for everything", "owner", frozenset(SCOPES)),
    Who("key of an owner for everything in this app", "owner", _APP_SCOPES, "this"),
    Who("key of an owner for everything in another app", "owner", _APP_SCOPES, "other"),
    Who("key of a viewer for everything in this app", "viewer", _APP_SCOPES, "this"),
)
