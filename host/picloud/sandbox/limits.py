"""The limits of one execution: defaults, ceilings, and overrides of scripts.

One table (`LIMIT_SPECS`) is the source of enforcement, `GET /api/v1/admin/limits`, validation of writes and
the reference page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from picloud.core.interface import LIMITS

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LimitSpec:
    """One limit.

    Attributes:
        name: field name in a script's `sandbox` overrides.
        default: value without an override.
        ceiling: default of the largest override; `env` changes it.
        unit: unit of the value.
        enforced_by: the component that enforces it.
        per_script: whether a script can override it.
        moved_by: environment variable with a different name than usual.
    """

    name: str
    default: int
    ceiling: int
    unit: str
    enforced_by: str
    per_script: bool = True
    moved_by: str | None = None

    @property
    def env(self) -> str | None:
        """The environment variable of the ceiling, or None if it is fixed."""
        return self.moved_by or (f"PICLOUD_SANDBOX_{self.name.upper()}" if self.per_script else None)


def _shared(name: str) -> int:
    """The default, shared with the guest."""
    return LIMITS.number(f"default_{name}")


LIMIT_SPECS = (
    LimitSpec("max_fuel", 2_000_000_000, 50_000_000_000, "fuel", "wasmtime"),
    LimitSpec("max_operations", _shared("max_operations"), 10_000_000, "operations", "guest"),
    LimitSpec("memory_limit_mb", 32, 256, "MiB", "wasmtime"),
    LimitSpec("timeout_seconds", 30, 300, "seconds", "host"),
    LimitSpec("max_string_size", _shared("max_string_size"), MIB, "bytes", "guest"),
    LimitSpec("max_array_size", _shared("max_array_size"), 100_000, "elements", "guest"),
    LimitSpec("max_map_size", _shared("max_map_size"), 100_000, "entries", "guest"),
    LimitSpec("max_call_levels", _shared("max_call_levels"), 128, "levels", "guest"),
    LimitSpec("max_expr_depth", _shared("max_expr_depth"), 128, "levels", "guest"),
    LimitSpec("max_host_calls", 1_000, 100_000, "calls", "host"),
    LimitSpec("max_log_lines", 1_000, 1_000, "lines", "host", per_script=False),
    LimitSpec("max_log_bytes", 256 * 1024, 256 * 1024, "bytes", "host", per_script=False),
    LimitSpec("max_request_body", 10 * MIB, 10 * MIB, "bytes", "HTTP edge", per_script=False),
    LimitSpec("max_response_body", *2 * (_shared("max_response_body"),), "bytes", "host", per_script=False),
    LimitSpec("max_source_size", MIB, MIB, "bytes", "admin API", per_script=False),
    LimitSpec(
        "max_import_depth",
        *2 * (_shared("max_import_depth"),),
        "levels",
        "guest",
        per_script=False,
        moved_by="PICLOUD_MODULE_IMPORT_DEPTH_MAX",
    ),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one execution; field names and units as in `LIMIT_SPECS`."""

    max_fuel: int
    max_operations: int
    memory_limit_mb: int
    timeout_seconds: int
    max_string_size: int
    max_array_size: int
    max_map_size: int
    max_call_levels: int
    max_expr_depth: int
    max_host_calls: int

    max_import_depth: int

    def for_guest(self) -> dict[str, int]:
        """Return the limits that the guest enforces, for its `compile` input."""
        return {name: getattr(self, name) for name in _GUEST_ENFORCED}


PER_SCRIPT = {limit.name: limit for limit in LIMIT_SPECS if limit.per_script}
FIXED = {limit.name: limit.default for limit in LIMIT_SPECS if not limit.per_script}
_GUEST_ENFORCED = tuple(limit.name for limit in LIMIT_SPECS if limit.enforced_by == "guest")
_FIELDS = [field.name for field in fields(Limits)]


class LimitRejected(ValueError):
    """An override that the instance does not accept.

    Attributes:
        field: the override's name.
        details: the requested and the possible value, for the details of the error.
    """

    def __init__(self, message: str, field: str, **details: object) -> None:
        super().__init__(message)
        self.field = field
        self.details = {"field": field, **details}


class Ceilings:
    """The maximum overrides of this instance."""

    def __init__(self, changed: Mapping[str, int] | None = None) -> None:
        """Create the table.

        Args:
            changed: ceilings by limit name that the operator has changed.
        """
        self._values = {limit.name: limit.ceiling for limit in LIMIT_SPECS} | dict(changed or {})

    def __getitem__(self, name: str) -> int:
        """Return the ceiling of a limit."""
        return self._values[name]

    def resolve(self, overrides: Mapping[str, object]) -> Limits:
        """Return the limits of a script.

        Args:
            overrides: values by limit name, from the `sandbox` of the script.

        Returns:
            Every limit: the override or the default, at most the ceiling.

        Raises:
            LimitRejected: an unknown name, not a positive integer, or above its ceiling.
        """
        for name, value in overrides.items():
            if name not in PER_SCRIPT:
                raise LimitRejected(f"unknown limit {name!r}", name, known=sorted(PER_SCRIPT))
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise LimitRejected(f"{name} must be a positive integer", name, requested=value)
            if value > self._values[name]:
                ceiling = self._values[name]
                message = f"{name} must be at most {ceiling} on this instance, not {value}"
                raise LimitRejected(message, name, requested=value, ceiling=ceiling)
        chosen = {limit.name: min(limit.default, self._values[limit.name]) for limit in LIMIT_SPECS}
        chosen |= overrides  # type: ignore[arg-type]  # every value was checked to be an integer
        return Limits(**{name: chosen[name] for name in _FIELDS})

    def table(self) -> list[dict[str, Any]]:
        """Return the rows of `GET /api/v1/admin/limits`: name, default, ceiling, unit, enforced_by, env."""
        return [
            {
                "name": limit.name,
                "default": min(limit.default, self._values[limit.name]),
                "ceiling": self._values[limit.name],
                "unit": limit.unit,
                "enforced_by": limit.enforced_by,
                "env": limit.env,
            }
            for limit in LIMIT_SPECS
        ]
