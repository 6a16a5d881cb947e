from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from picloud.http.edge.transfer_memory import TransferBudget


@dataclass(eq=False)
class Body:
    address: str
    held: int
    memory: TransferBudget
    given_up: list[Body] = field(default_factory=list)

    def cancel(self) -> None:
        self.given_up.append(self)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 60)), max_size=40))
def test_bodies_never_hold_more_together_and_only_the_greediest_gives_up(
    sizes: list[tuple[int, int]],
) -> None:
    memory, gone = TransferBudget(100, "in"), list[Body]()
    staying: list[Body] = []
    for address, size in sizes:
        body = Body(f"192.0.2.{address}", size, memory, gone)
        staying.append(body)
        before = len(gone)
        memory.reserve(body)
        for one in gone[before:]:
            totals = {
                address: sum(other.held for other in staying if other.address == address)
                for address in {other.address for other in staying}
            }
            assert totals[one.address] == max(totals.values())
            assert one is next(other for other in staying if other.address == one.address)
            staying.remove(one)
        assert sum(one.held for one in staying) <= 100
    for one in [*staying, *gone]:
        memory.release(one)
    assert (len(memory), memory._total) == (0, 0)
