"""A ring reaches every watching process and never blocks."""

from __future__ import annotations

import os
import select

import pytest

from picloud.core.doorbell import Doorbell


@pytest.fixture(params=["linux", "darwin"], ids=["eventfd", "pipe"])
def doorbell(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Doorbell:
    """One of each kind: a pipe works on Linux too."""
    if request.param == "linux" and not hasattr(os, "eventfd"):
        pytest.skip("this system has no eventfd")
    monkeypatch.setattr("sys.platform", request.param)
    return Doorbell()


def rings(doorbell: Doorbell) -> bool:
    return bool(select.select([doorbell.fileno()], [], [], 0)[0])


def test_a_doorbell_rings_until_it_is_read(doorbell: Doorbell) -> None:
    assert not rings(doorbell)
    doorbell.ring()
    doorbell.ring()
    assert rings(doorbell)
    doorbell.silence()
    assert not rings(doorbell)


def test_another_process_rings(doorbell: Doorbell) -> None:
    child = os.fork()
    if child == 0:
        doorbell.ring()
        os._exit(0)
    os.waitpid(child, 0)
    assert rings(doorbell)


def test_no_number_of_rings_blocks(doorbell: Doorbell) -> None:
    for _ in range(100_000):
        doorbell.ring()
    assert rings(doorbell)


def test_reading_a_silent_doorbell_does_nothing(doorbell: Doorbell) -> None:
    doorbell.silence()
    assert not rings(doorbell)


def test_its_descriptors_are_closed_with_it() -> None:
    doorbell = Doorbell()
    descriptor = doorbell.fileno()
    del doorbell
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
