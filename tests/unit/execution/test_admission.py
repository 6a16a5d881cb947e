"""The gate: so many in all, a share for each app, and every permit comes back."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.core.errors import Overloaded
from picloud.execution.admission import Admission

A, B, C = (UUID(int=number) for number in range(3))


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
    assert (admission.running, admission.refused) == (4, 2)
    admission.release(A)
    admission.acquire(C)


def test_a_share_is_never_more_than_there_is() -> None:
    assert Admission(3, 100).share == 3


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([A, B, C])), max_size=200))
def test_permits_are_conserved(steps: list[tuple[bool, UUID]]) -> None:
    admission = Admission(5, 3)
    inside: list[UUID] = []
    for enters, app in steps:
        if enters:
            full = len(inside) == 5 or inside.count(app) == 3
            try:
                admission.acquire(app)
            except Overloaded:
                assert full
            else:
                assert not full
                inside.append(app)
        elif app in inside:
            inside.remove(app)
            admission.release(app)
        assert admission.running == len(inside)
    for app in inside:
        admission.release(app)
    assert (admission.running, dict(admission._by_app)) == (0, {})
