from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from picloud.core.errors import Overloaded
from picloud.http.edge.connection_limits import ConnectionLimiter


@dataclass(eq=False)
class LimitedConnection:
    address: str
    idle_since: float | None
    aborted: bool = False

    def abort(self) -> None:
        self.aborted = True


def entered(limiter: ConnectionLimiter, connection: LimitedConnection, counted: bool = True) -> bool:
    try:
        limiter.enter(connection, counted)
    except Overloaded:
        return False
    return True


def test_ipv6_is_counted_by_network_and_ipv4_by_address() -> None:
    limiter = ConnectionLimiter(100, 1)
    assert entered(limiter, LimitedConnection("2001:db8::1", None))
    assert not entered(limiter, LimitedConnection("2001:db8::2", None))
    assert entered(limiter, LimitedConnection("2001:db8:0:1::1", None))
    assert entered(limiter, LimitedConnection("192.0.2.1", None))
    assert entered(limiter, LimitedConnection("192.0.2.2", None))


def test_uncounted_connections_are_not_limited() -> None:
    limiter = ConnectionLimiter(100, 1)
    assert all(entered(limiter, LimitedConnection("192.0.2.1", None), counted=False) for _ in range(10))
    assert all(entered(limiter, LimitedConnection("", None)) for _ in range(10))


@given(st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.booleans()), max_size=80))
def test_the_counts_are_exact(steps: list[tuple[int, bool, bool]]) -> None:
    limiter, inside = ConnectionLimiter(10, 4), list[LimitedConnection]()
    for number, (address, idle, leaves) in enumerate(steps):
        connection = LimitedConnection(f"192.0.2.{address}", float(number) if idle else None)
        of_one = sum(one.address == connection.address for one in inside)
        room = len(inside) < 10 or any(one.idle_since is not None for one in inside)
        stays = entered(limiter, connection)
        assert stays == (of_one < 4 and room)
        gone = [one for one in inside if one.aborted]
        assert all(one.idle_since is not None for one in gone)
        inside = [one for one in [*inside, *([connection] if stays else [])] if not one.aborted]
        if leaves and inside:
            limiter.leave(inside.pop(0))
        limiter.leave(connection if not stays else LimitedConnection("", None))
        assert len(limiter) == len(inside) <= 10
        assert sum(limiter._per_address.values()) == len(inside)
