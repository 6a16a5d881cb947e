"""Moves stored times back, so that tests need not wait."""

from __future__ import annotations

import time
import types

import pytest

from picloud.identity import principals


def an_hour_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the clock by which credentials in memory end an hour and a second forward."""
    later = types.SimpleNamespace(monotonic=lambda: time.monotonic() + 3601)
    monkeypatch.setattr(principals, "time", later)
