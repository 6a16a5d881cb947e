"""The memory that this process can use."""

from __future__ import annotations

from pathlib import Path

import pytest

from picloud.config.machine import memory_mb

GIB = 1024 * 1024 * 1024
V1, V2 = "sys/fs/cgroup/memory/{}memory.limit_in_bytes", "sys/fs/cgroup/{}memory.max"


def write(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n")


@pytest.mark.parametrize(
    ("groups", "limits", "mb"),
    [
        ("0::/", {}, 8192),
        ("0::/a/b", {V2.format("a/b/"): "max", V2.format("a/"): "max"}, 8192),
        ("0::/a/b", {V2.format("a/b/"): str(2 * GIB)}, 2048),
        ("0::/a/b", {V2.format("a/b/"): "max", V2.format("a/"): str(GIB)}, 1024),  # the group above limits
        ("0::/a/b", {V2.format(""): str(GIB)}, 1024),  # in a container, its own group is the root
        ("0::/", {V2.format(""): str(64 * GIB)}, 8192),
        ("4:memory:/a\n2:cpu:/a", {V1.format("a/"): str(GIB)}, 1024),
        ("4:cpu,memory:/a:b", {V1.format("a:b/"): str(3 * GIB)}, 3072),
        ("4:memory:/a\n0::/", {V1.format("a/"): "9223372036854771712"}, 8192),
        ("", {}, 8192),
    ],
)
def test_the_memory_is_that_of_the_machine_or_of_the_narrowest_cgroup(
    tmp_path: Path, groups: str, limits: dict[str, str], mb: int
) -> None:
    write(tmp_path, "proc/meminfo", "MemTotal:        8388608 kB\nMemFree: 1 kB")
    write(tmp_path, "proc/self/cgroup", groups)
    for name, text in limits.items():
        write(tmp_path, name, text)
    assert memory_mb(tmp_path) == mb


def test_a_machine_without_proc_has_memory(tmp_path: Path) -> None:
    assert memory_mb(tmp_path) > 100
