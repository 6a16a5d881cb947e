"""Valid names of modules: for `import "name"`, and not a namespace of the SDK."""

from __future__ import annotations

import re

from picloud.core.errors import Invalid
from picloud.core.interface import LIMITS, Interface

MAX_NAME = LIMITS.number("max_module_name_bytes")
_NAME = re.compile(rf"[a-zA-Z_][a-zA-Z0-9_]{{0,{MAX_NAME - 1}}}", re.ASCII)
_RESERVED = frozenset(
    (
        *("dead_letters", "docs", "email", "files", "http", "invoke", "invoke_async", "pubsub", "queue"),
        *("request", "retry", "secrets", "users", "workflow"),
    )
)
"""Names reserved for future namespaces of the SDK."""


NAMESPACES = Interface.load().namespaces | _RESERVED
"""The namespaces of the SDK: from interface.toml, and reserved ones."""


def unusable(name: str) -> str | None:
    """Return why a name cannot be that of a module, or None. Args: name: any string."""
    if name in NAMESPACES:
        return f"{name!r} is a built-in namespace and needs no import"
    if _NAME.fullmatch(name) is None:
        return f"invalid module name; use 1 to {MAX_NAME} letters, digits or _, not starting with a digit"
    return None


def check_module_name(name: str) -> None:
    """Check the name of a module.

    Raises:
        Invalid: it is not valid; the message has the reason.
    """
    reason = unusable(name)
    if reason is not None:
        raise Invalid(reason, field="name")
