"""Promises of core/repeated_log.py."""

from __future__ import annotations

import logging

import pytest

from picloud.core import repeated_log


def test_a_message_that_repeats_is_logged_once_a_minute_with_a_count(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(repeated_log, "PERIOD_SECONDS", 60.0)
    monkeypatch.setattr(repeated_log.time, "monotonic", lambda: clock[0])
    log = repeated_log.RepeatedLog(logging.getLogger("picloud.test"))
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            log("no space: %s", "x")
        clock[0] += 60
        log("no space: %s", "y")
    assert [record.getMessage() for record in caplog.records] == [
        "no space: x",
        "no space: y (and 4 times since the last such line)",
    ]
