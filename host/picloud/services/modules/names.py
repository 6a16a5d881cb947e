"""Names that modules can have: what `import "name"` finds, and no namespace of the SDK."""

from __future__ import annotations

import re

from picloud.core.errors import Invalid
from picloud.core.interface import LIMITS, Interface

MAX_NAME = LIMITS.number("max_module_name_bytes")
_NAME = re.compile(rf"[a-zA-Z_][a-zA-Z0-9_]{{0,{MAX_NAME - 1}}}", re.ASCII)
_TO_COME = frozenset(
    (
        *("dead_letters", "docs", "email", "files", "http", "invoke", "invoke_async", "pubsub", "queue"),
        *("request", "retry", "secrets", "users", "workflow"),
    )
)
"""Namespaces that the SDK is to have: a module of such a name would be in their way."""


NAMESPACES = Interface.load().namespaces | _TO_COME
"""The namespaces of the SDK: those of interface.toml, and those to come."""


def unusable(name: str) -> str | None:
    """Why no module can have this name, or None where one can. Args: name: any text."""
    if name in NAMESPACES:
        return f"{name!r} is a namespace of the SDK, which needs no import"
    if _NAME.fullmatch(name) is None:
        return f"a module's name has 1 to {MAX_NAME} letters (a to z), digits and _, and begins with no digit"
    return None


def check_module_name(name: str) -> None:
    """Refuse a name that no module can have.

    Args:
        name: of a script whose kind is module.

    Raises:
        Invalid: with the reason.
    """
    reason = unusable(name)
    if reason is not None:
        raise Invalid(reason, field="name")
