"""Promises of identity/throttle.py."""

from __future__ import annotations

import pytest

from picloud.errors import Throttled
from picloud.identity.throttle import FORGET_SECONDS, Throttle, network


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def wait_of(throttle: Throttle, key: str = "ada") -> int:
    """Seconds to wait, or 0 when the attempt counts."""
    try:
        throttle.attempt(key)
    except Throttled as error:
        return int(error.headers["Retry-After"])
    return 0


def test_waits_double_up_to_the_longest_and_end() -> None:
    clock = Clock()
    throttle = Throttle(free=2, longest_seconds=10, clock=clock)
    assert [wait_of(throttle) for _ in range(3)] == [0, 0, 0]
    waits = []
    for _ in range(6):
        waits.append(wait := wait_of(throttle))
        clock.now += wait
        assert wait_of(throttle) == 0
    assert waits == [1, 2, 4, 8, 10, 10]


def test_a_refused_attempt_does_not_lengthen_the_wait() -> None:
    throttle = Throttle(free=0, longest_seconds=60, clock=Clock())
    throttle.attempt("ada")
    assert {wait_of(throttle) for _ in range(100)} == {1}


def test_attempts_count_before_they_fail_so_that_many_at_once_do_not_slip_through() -> None:
    throttle = Throttle(free=5, longest_seconds=60, clock=Clock())
    assert [wait_of(throttle) == 0 for _ in range(100)].count(True) == 6


def test_success_and_time_forget() -> None:
    clock = Clock()
    throttle = Throttle(free=1, longest_seconds=7200, clock=clock)
    throttle.attempt("ada")
    throttle.succeeded("ada")
    throttle.attempt("ada")
    throttle.attempt("ada")
    assert wait_of(throttle) == 1
    clock.now += FORGET_SECONDS + 1
    assert [wait_of(throttle), wait_of(throttle)] == [0, 0]


def test_keys_do_not_disturb_each_other() -> None:
    throttle = Throttle(free=0, longest_seconds=60, clock=Clock())
    throttle.attempt("ada")
    throttle.attempt("grace")
    with pytest.raises(Throttled):
        throttle.attempt("ada")


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_an_address_is_one_host(address: str, key: str) -> None:
    assert network(address) == key
