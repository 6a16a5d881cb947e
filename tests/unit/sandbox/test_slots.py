"""Freed slots of the pool: how much memory they keep, and for how long."""

from __future__ import annotations

from picloud.sandbox.slots import IDLE_SECONDS, FreedSlots


class Kernel:
    """Records what is given back, with a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.given_back: list[tuple[int, int]] = []

    def __call__(self, address: int, length: int) -> None:
        self.given_back.append((address, length))


def freed(kernel: Kernel, max_bytes: int = 100) -> FreedSlots:
    return FreedSlots(kernel, max_bytes, lambda: kernel.now)


def test_freed_slots_keep_a_bounded_amount_and_the_oldest_give_back_first() -> None:
    kernel = Kernel()
    slots = freed(kernel)
    for address in range(5):
        slots.add(address, 40)
    assert kernel.given_back == [(0, 40), (1, 40), (2, 40)]
    assert slots.bytes == 80


def test_a_slot_in_use_is_never_given_back() -> None:
    kernel = Kernel()
    slots = freed(kernel)
    slots.add(1, 60)
    slots.take(1)
    slots.add(2, 60)
    kernel.now += 2 * IDLE_SECONDS
    assert slots.trim() == 1
    assert kernel.given_back == [(2, 60)]
    slots.take(3)  # one that was never freed


def test_slots_that_were_not_used_for_a_while_keep_nothing() -> None:
    kernel = Kernel()
    slots = freed(kernel)
    slots.add(1, 10)
    kernel.now += IDLE_SECONDS
    slots.add(2, 10)
    assert slots.trim() == 1
    assert (kernel.given_back, slots.bytes) == ([(1, 10)], 10)
    slots.forget()
    kernel.now += 2 * IDLE_SECONDS
    assert slots.trim() == 0
