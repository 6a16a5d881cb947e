"""What the settings can come to in memory."""

from __future__ import annotations

import pytest

from picloud.config import Settings
from picloud.server import memory


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "memory_mb", lambda: 8192)


def settings(**values: int) -> Settings:
    return Settings(**{"workers": 2, "memory_mb": 4096, **values})


def test_the_summary_has_the_memory_of_scripts_of_all_parts_and_of_the_machine() -> None:
    total = sum(part.mb for part in memory.parts(settings()))
    said = memory.summary(settings())
    assert said.startswith("up to 4.0 GiB of memory for running scripts, ")
    assert said.endswith(f"{total / 1024:.1f} GiB in all; this machine has 8.0 GiB")


def test_settings_within_the_machine_are_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    memory.warn_if_too_much(settings())
    assert not caplog.records


def test_settings_beyond_the_machine_are_named_the_largest_first(caplog: pytest.LogCaptureFixture) -> None:
    memory.warn_if_too_much(settings(max_transfer_mb=2048))
    (record,) = caplog.records
    said = record.getMessage()
    assert "more than the 8.0 GiB of this machine" in said
    assert (
        said.index("PICLOUD_MAX_TRANSFER_MB")
        < said.index("PICLOUD_MEMORY_MB")
        < said.index("PICLOUD_WORKERS")
    )


def test_a_ceiling_that_no_execution_can_reach_is_said(caplog: pytest.LogCaptureFixture) -> None:
    memory.warn_if_too_much(settings(memory_mb=256))
    (record,) = caplog.records
    assert "can set a memory limit of 256 MiB, but gets at most 64 MiB" in record.getMessage()
