"""What the settings of a server can come to in memory, said at start."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from picloud.config import Settings
from picloud.config.machine import memory_mb
from picloud.sandbox.slots import MAX_BYTES

_log = logging.getLogger(__name__)

# Estimates of the resident memory of a process without scripts; idle workers have about 75 MiB.
_WORKER_MB, _DATABASE_MB = 120, 250


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the memory.

    Attributes:
        name: for the operator.
        mb: the most it can come to, in MiB.
        setting: the environment variable that changes it; None for a fixed part.
    """

    name: str
    mb: int
    setting: str | None = None


def parts(settings: Settings) -> Sequence[Part]:
    """Return the parts of a server's memory, the largest first."""
    workers = settings.workers
    found = [
        Part("running scripts", settings.memory_mb, "PICLOUD_MEMORY_MB"),
        Part(
            "requests and responses in transfer",
            2 * workers * settings.max_transfer_mb,
            "PICLOUD_MAX_TRANSFER_MB",
        ),
        Part("outbound bodies, for each app", workers * settings.http_app_mb, "PICLOUD_HTTP_APP_MB"),
        Part("compiled scripts", workers * settings.script_cache_mb, "PICLOUD_SCRIPT_CACHE_MB"),
        Part("workers", workers * (_WORKER_MB + (MAX_BYTES >> 20)), "PICLOUD_WORKERS"),
    ]
    if settings.database_url is None:
        found.append(Part("the database", _DATABASE_MB))
    return sorted(found, key=lambda part: -part.mb)


def summary(settings: Settings) -> str:
    """Return one line: what all parts come to, and how much memory there is."""
    total = sum(part.mb for part in parts(settings))
    return (
        f"up to {_size(settings.memory_mb)} of memory for running scripts, {_size(total)} in all; "
        f"this machine has {_size(memory_mb())}"
    )


def warn_if_too_much(settings: Settings) -> None:
    """Warn if the settings come to more memory than there is, or one execution to more than a worker has."""
    found, available = parts(settings), memory_mb()
    if sum(part.mb for part in found) > available:
        listed = ", ".join(
            f"{part.name} {_size(part.mb)}" + (f" ({part.setting})" if part.setting else "") for part in found
        )
        _log.warning(
            "the settings can come to more than the %s of this machine: %s; lower the largest",
            _size(available),
            listed,
        )
    largest = settings.worker_app_memory >> 20
    ceiling = settings.ceilings["memory_limit_mb"]
    if largest < ceiling:
        _log.warning(
            "a script can set a memory limit of %d MiB, but gets at most %d MiB: raise PICLOUD_MEMORY_MB, or "
            "lower PICLOUD_SANDBOX_MEMORY_LIMIT_MB or PICLOUD_WORKERS",
            ceiling,
            largest,
        )


def _size(mb: int) -> str:
    return f"{mb / 1024:.1f} GiB" if mb >= 1024 else f"{mb} MiB"
