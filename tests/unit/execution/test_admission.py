"""The gate: so many in all, a share for each app, and every permit comes back."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.core.errors import Overloaded
from picloud.execution.admission import Gate

A, B, C = (UUID(int=number) for number in range(3))


def test_one_app_cannot_hold_it_all() -> None:
    gate = Gate(4, 2)
    gate.enter(A)
    gate.enter(A)
    with pytest.raises(Overloaded):
        gate.enter(A)
    gate.enter(B)
    gate.enter(B)
    with pytest.raises(Overloaded):
        gate.enter(C)
    assert (gate.running, gate.refused) == (4, 2)
    gate.leave(A)
    gate.enter(C)


def test_a_share_is_never_more_than_there_is() -> None:
    assert Gate(3, 100).share == 3


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([A, B, C])), max_size=200))
def test_permits_are_conserved(steps: list[tuple[bool, UUID]]) -> None:
    gate = Gate(5, 3)
    inside: list[UUID] = []
    for enters, app in steps:
        if enters:
            full = len(inside) == 5 or inside.count(app) == 3
            try:
                gate.enter(app)
            except Overloaded:
                assert full
            else:
                assert not full
                inside.append(app)
        elif app in inside:
            inside.remove(app)
            gate.leave(app)
        assert gate.running == len(inside)
    for app in inside:
        gate.leave(app)
    assert (gate.running, dict(gate._by_app)) == (0, {})
