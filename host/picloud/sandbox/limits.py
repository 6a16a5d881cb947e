"""The limits of one execution: defaults, ceilings, and what a script may override.

One table (`KNOBS`) feeds enforcement, `GET /api/v1/admin/limits`, validation at write time and
the reference page. The values are those of the specification's limits table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Knob:
    """One limit.

    Attributes:
        name: field name in a script's `sandbox` overrides.
        default: value when a script does not override it.
        ceiling: largest override the instance accepts, before `env` changes it.
        unit: what the number counts.
        enforced_by: the part of PiCloud that holds it.
        per_script: False for a limit that no script can override.
    """

    name: str
    default: int
    ceiling: int
    unit: str
    enforced_by: str
    per_script: bool = True

    @property
    def env(self) -> str | None:
        """Name of the environment variable that moves the ceiling, or None where it is fixed."""
        return f"PICLOUD_SANDBOX_{self.name.upper()}" if self.per_script else None


KNOBS = (
    Knob("max_fuel", 2_000_000_000, 50_000_000_000, "fuel", "wasmtime"),
    Knob("max_operations", 1_000_000, 10_000_000, "operations", "guest"),
    Knob("memory_limit_mb", 32, 256, "MiB", "wasmtime"),
    Knob("timeout_seconds", 30, 300, "seconds", "host"),
    Knob("max_string_size", 256 * 1024, MIB, "bytes", "guest"),
    Knob("max_array_size", 10_000, 100_000, "elements", "guest"),
    Knob("max_map_size", 10_000, 100_000, "entries", "guest"),
    Knob("max_call_levels", 64, 128, "levels", "guest"),
    Knob("max_expr_depth", 64, 128, "levels", "guest"),
    Knob("max_host_calls", 1_000, 100_000, "calls", "host"),
    Knob("max_log_lines", 1_000, 1_000, "lines", "host", per_script=False),
    Knob("max_log_bytes", 256 * 1024, 256 * 1024, "bytes", "host", per_script=False),
    Knob("max_request_body", 10 * MIB, 10 * MIB, "bytes", "HTTP edge", per_script=False),
    Knob("max_response_body", 10 * MIB, 10 * MIB, "bytes", "host", per_script=False),
    Knob("max_source_size", MIB, MIB, "bytes", "admin API", per_script=False),
)
