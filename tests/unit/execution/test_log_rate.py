"""Promises of execution/log_rate.py."""

from __future__ import annotations

from uuid import UUID

from picloud.execution.log_rate import FREE_BYTES, LEAST_PER_MINUTE, LogRate

APP, OTHER = UUID(int=1), UUID(int=2)


def test_an_app_that_writes_too_much_has_no_room_and_another_has() -> None:
    rate = LogRate(1)
    written = 0
    while rate.has_room(APP):
        rate.spend(APP, 100_000)
        written += 100_000
    assert LEAST_PER_MINUTE <= written <= LEAST_PER_MINUTE * 1.2
    assert rate.has_room(OTHER)


def test_ordinary_records_always_have_room() -> None:
    rate = LogRate(1)
    for _ in range(10_000):
        rate.spend(APP, FREE_BYTES)
    assert rate.has_room(APP)


def test_without_a_quota_there_is_always_room() -> None:
    rate = LogRate()
    rate.spend(APP, 10**12)
    assert rate.has_room(APP)
