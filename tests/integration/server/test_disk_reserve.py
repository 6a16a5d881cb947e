"""Promises of server/disk_reserve.py, on a small disk of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from picloud.core.disk_space import DiskSpace, free_bytes
from picloud.core.errors import StorageFull
from picloud.server import disk_reserve
from picloud.server.disk_reserve import DiskReserve

MIB = 1 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MiB."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True)
    if made.returncode:
        pytest.skip("cannot mount a small disk here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_the_reserve_is_given_up_on_a_full_disk_and_comes_back(
    disk: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_reserve, "_CHECK_SECONDS", 0.0)
    reserve, file = DiskReserve(disk, 4 * MIB), disk / "reserve"
    reserve.poll()
    assert file.stat().st_size == MIB
    filling = disk / "others"
    filling.write_bytes(b"x" * (free_bytes(disk) - 2 * MIB))
    reserve.poll()
    assert "only deletions work" in caplog.text
    assert file.exists()
    with pytest.raises(StorageFull):
        DiskSpace(disk, 4 * MIB).require()
    with filling.open("ab") as more:
        more.write(b"x" * free_bytes(disk))
    assert free_bytes(disk) == 0
    reserve.poll()
    assert free_bytes(disk) == MIB
    filling.unlink()
    reserve.poll()
    assert file.exists()
    DiskSpace(disk, 4 * MIB).require()
    assert "there is space" in caplog.text


def test_a_disk_without_room_for_the_reserve_and_a_reserve_of_0_get_no_file(disk: Path) -> None:
    for size in (64 * MIB, 0):
        DiskReserve(disk, size).poll()
        assert list(disk.iterdir()) == []
