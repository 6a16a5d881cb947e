"""Which bodies of requests and responses the execution log keeps."""

from __future__ import annotations

from typing import Literal, TypeAlias

RecordBodies: TypeAlias = Literal["none", "errors", "all"]
"""No bodies; those of executions that failed or returned a 5xx status; all."""
DEFAULT: RecordBodies = "errors"
