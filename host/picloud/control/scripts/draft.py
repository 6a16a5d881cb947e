"""The fields of a script that users set: checks and merge patches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from picloud.control.record_bodies import RecordBodies
from picloud.core.errors import Invalid
from picloud.core.validation import check_description, check_name, require_not_null
from picloud.sandbox.limits import FIXED, PER_SCRIPT, Ceilings, LimitRejected, Limits
from picloud.services.modules.names import check_module_name

Kind: TypeAlias = Literal["endpoint", "module"]
Access: TypeAlias = Literal["open", "members", "routed"]


@dataclass(frozen=True, slots=True)
class Draft:
    """The fields of a script that users set.

    Attributes:
        name: unique in the app.
        source: Rhai, without a byte order mark.
        kind: "endpoint" handles requests, "module" is imported by other scripts.
        description: free text.
        sandbox: limit overrides by name.
        execute_access: who can execute it by its id: "open" for every caller, "members" for users
            who can read the app, "routed" for every caller while a route leads to it and else for members.
        record_bodies: which bodies of its executions are recorded; None for the setting of the app.
    """

    name: str
    source: str
    kind: Kind = "endpoint"
    description: str = ""
    sandbox: Mapping[str, Any] = field(default_factory=dict)
    execute_access: Access = "routed"
    record_bodies: RecordBodies | None = None

    def __post_init__(self) -> None:
        """Drop a byte order mark, which Windows programs write in front of the source."""
        object.__setattr__(self, "source", self.source.removeprefix("\ufeff"))

    def patched(self, patch: Mapping[str, Any]) -> Draft:
        """Apply a JSON merge patch: absent fields stay, null clears a field that can be empty.

        Args:
            patch: new values of some of the fields; `sandbox` is merged name by name.

        Returns:
            The draft with the patch applied.

        Raises:
            Invalid: null for a field that cannot be empty.
        """
        require_not_null(patch, "name", "source", "kind")
        changed = dict(patch)
        if "description" in patch:
            changed["description"] = patch["description"] or ""
        if "execute_access" in patch:
            changed["execute_access"] = patch["execute_access"] or "routed"
        if "sandbox" in patch:
            merged = {**self.sandbox, **(patch["sandbox"] or {})} if patch["sandbox"] is not None else {}
            changed["sandbox"] = {
                name: value for name, value in merged.items() if value is not None or name not in PER_SCRIPT
            }
        return replace(self, **changed)

    def check(self, ceilings: Ceilings) -> Limits:
        """Check every field, but do not parse the source.

        Args:
            ceilings: limits of this instance.

        Returns:
            The limits the script runs with.

        Raises:
            Invalid: a field is not valid; the message has the reason.
        """
        check_name(self.name)
        if self.kind == "module":
            check_module_name(self.name)
        check_description(self.description)
        check_source(self.source)
        try:
            return ceilings.resolve(self.sandbox)
        except LimitRejected as error:
            details = dict(error.details) | {"field": f"sandbox.{error.field}"}
            raise Invalid(str(error), **details) from None


def check_source(source: str) -> None:
    """Check the size of a source.

    Args:
        source: Rhai.

    Raises:
        Invalid: it has more bytes than `max_source_size`.
    """
    size, ceiling = len(source.encode()), FIXED["max_source_size"]
    if size > ceiling:
        raise Invalid(
            f"the source has {size} bytes, more than the maximum of {ceiling}",
            field="source",
            requested=size,
            ceiling=ceiling,
        )
