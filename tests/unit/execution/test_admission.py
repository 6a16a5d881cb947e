"""Admission: a total, a share for each app and for each class, and every permit comes back."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.core.errors import Overloaded
from picloud.execution.admission import RESERVE_SECONDS, Admission, PermitClass

A, B, C = (UUID(int=number) for number in range(3))


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def acquired(admission: Admission, app: UUID, permit: PermitClass, wanted: int = 1000) -> int:
    """Take permits until one is denied; how many there were."""
    for taken in range(wanted):
        try:
            admission.acquire(app, permit)
        except Overloaded:
            return taken
    return wanted


def test_one_app_cannot_hold_it_all() -> None:
    admission = Admission(4, 2)
    admission.acquire(A)
    admission.acquire(A)
    with pytest.raises(Overloaded):
        admission.acquire(A)
    admission.acquire(B)
    admission.acquire(B)
    with pytest.raises(Overloaded):
        admission.acquire(C)
    assert (admission.running, admission.denied) == (4, 2)
    admission.release(A)
    admission.acquire(C)


def test_a_share_is_never_more_than_there_is() -> None:
    assert Admission(3, 100).share == 3


def test_requests_can_use_every_permit_while_there_are_no_events() -> None:
    admission = Admission(8, 8, {"event": 2})
    assert acquired(admission, A, "http") == 8


def test_events_never_hold_more_than_their_share() -> None:
    admission = Admission(8, 8, {"event": 2})
    assert acquired(admission, A, "event") == 2
    assert acquired(admission, A, "http") == 6
    assert (admission.running_of("event"), admission.running_of("http")) == (2, 6)
    admission.release(A, "http")
    assert acquired(admission, B, "event") == 0


def test_events_that_were_denied_get_the_permits_that_become_free_up_to_their_share() -> None:
    admission = Admission(8, 8, {"event": 2}, clock=Clock())
    assert acquired(admission, A, "http") == 8
    assert acquired(admission, B, "event") == 0
    for _ in range(3):
        admission.release(A, "http")
    assert acquired(admission, A, "http") == 1  # the other two are kept
    assert acquired(admission, B, "event") == 2
    assert acquired(admission, A, "http") == 0
    admission.release(B, "event")
    assert acquired(admission, A, "http") == 0


def test_permits_are_not_kept_for_events_that_do_not_come_back() -> None:
    clock = Clock()
    admission = Admission(8, 8, {"event": 2}, clock=clock)
    assert acquired(admission, A, "http") == 8
    assert acquired(admission, B, "event") == 0
    admission.release(A, "http")
    assert acquired(admission, A, "http") == 0
    clock.now += RESERVE_SECONDS
    assert acquired(admission, A, "http") == 1


def test_no_permit_is_kept_for_an_app_that_has_its_share() -> None:
    admission = Admission(8, 4, {"event": 4}, clock=Clock())
    assert acquired(admission, A, "event") == 2  # half of the class, as of the total
    assert acquired(admission, B, "http") == 4
    assert acquired(admission, A, "http") == 2
    admission.release(B, "http")
    assert acquired(admission, A, "event") == 0
    assert acquired(admission, C, "http") == 1


def test_one_app_cannot_hold_all_permits_of_events() -> None:
    admission = Admission(16, 8, {"event": 4})
    assert acquired(admission, A, "event") == 2
    assert acquired(admission, B, "event") == 2
    assert acquired(admission, A, "http") == 6  # its share counts both classes


def test_the_smallest_share_is_one_permit() -> None:
    admission = Admission(4, 1, {"event": 1})
    assert acquired(admission, A, "event") == 1


@given(
    st.lists(
        st.tuples(
            st.booleans(), st.sampled_from([A, B, C]), st.sampled_from(["http", "event"]), st.floats(0, 0.7)
        ),
        max_size=200,
    )
)
def test_permits_are_conserved_and_no_share_is_exceeded(
    steps: list[tuple[bool, UUID, PermitClass, float]],
) -> None:
    clock = Clock()
    admission = Admission(6, 4, {"event": 3}, clock=clock)
    inside: Counter[tuple[UUID, PermitClass]] = Counter()
    for enters, app, permit, seconds in steps:
        clock.now += seconds
        if enters:
            try:
                admission.acquire(app, permit)
            except Overloaded:
                kept = 3 - admission.running_of("event") if permit == "http" else 0
                assert (
                    inside.total() + kept >= 6
                    or inside[app, "http"] + inside[app, "event"] == 4
                    or (
                        permit == "event"
                        and (inside[app, "event"] == 2 or admission.running_of("event") == 3)
                    )
                )
            else:
                inside[app, permit] += 1
        elif inside[app, permit]:
            inside[app, permit] -= 1
            admission.release(app, permit)
        assert admission.running == inside.total() <= 6
        assert admission.running_of("event") == sum(inside[one, "event"] for one in (A, B, C)) <= 3
        for one in (A, B, C):
            assert inside[one, "http"] + inside[one, "event"] <= 4
            assert inside[one, "event"] <= 2
    for app, permit in inside.elements():
        admission.release(app, permit)
    assert (admission.running, admission.running_of("event"), dict(admission._by_app)) == (0, 0, {})
