"""What this process can use of the machine: cores and memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_MIB = 1024 * 1024


def cores() -> int:
    """Return the number of processor cores available to this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_mb(root: Path = Path("/")) -> int:
    """Return the memory available to this process in MiB: that of the machine, or of its cgroup if less.

    Args:
        root: the root of the file system with /proc and /sys.

    cgroups: https://docs.kernel.org/admin-guide/cgroup-v2.html (memory.max),
    https://docs.kernel.org/admin-guide/cgroup-v1/memory.html (memory.limit_in_bytes)
    """
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        machine = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:"))
    except OSError:  # not Linux
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min([machine, *_cgroup_limits(root)]) // _MIB)


def _cgroup_limits(root: Path) -> Iterator[int]:
    """Yield the limits, in bytes, of the cgroups of this process and of those above them."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in filter(None, lines):
        number, controllers, path = line.split(":", 2)
        if number == "0":
            mount, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            mount, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        group = Path(path.lstrip("/"))
        for folder in (group, *group.parents):  # in a container, only the last one, its own, may be there
            try:
                text = (mount / folder / name).read_text().strip()
            except OSError:
                continue
            if text.isdigit():  # otherwise "max"
                yield int(text)
