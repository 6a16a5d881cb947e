"""Counters and gauges of a node, on a page of memory that its processes share.

Each process counts in a slot of its own, so no two ever write the same word and no lock is needed;
reading adds the slots up. The page is laid out before the workers are forked, so every series is known
by then: a label takes its values from a list, never from a request.

A worker that is started again takes over the slot of the one before. Its counters go on from there, and
never go down as long as the node runs; its gauges begin at zero.

Prometheus' text format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import itertools
import mmap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_WORD = 8  # bytes of a double: an aligned 64-bit store is one instruction, never seen half-done


@dataclass(frozen=True, slots=True)
class Family:
    """Series of one name, declared by the module that counts them.

    Attributes:
        name: by Prometheus' conventions: `picloud_..._total` of a counter, the unit before that.
        help: one sentence for the operator.
        kind: a counter only grows.
        labels: every value each label can have.
        total: what the node's value is: the sum of its processes' or, of a time stamp, the latest.
    """

    name: str
    help: str
    kind: Literal["counter", "gauge"] = "counter"
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    total: Literal["sum", "max"] = "sum"

    @property
    def series(self) -> Iterator[tuple[str, ...]]:
        """The values of the labels of every series."""
        return itertools.product(*self.labels.values())


class Series:
    """One number of this process. Only the thread of the event loop may change it."""

    __slots__ = ("_index", "_value", "_words")

    def __init__(self, words: memoryview[float], index: int) -> None:
        """Use `Metrics.series`: of each number there is one object in a process."""
        self._words, self._index = words, index
        self._value: float = words[index]  # kept here as well: adding to the page would read it first

    def inc(self, amount: float = 1.0) -> None:
        """Add to it. Args: amount: 0 or more; of a gauge any."""
        self._value = value = self._value + amount
        self._words[self._index] = value

    def dec(self) -> None:
        """Take one from a gauge."""
        self._value = value = self._value - 1.0
        self._words[self._index] = value

    def set(self, value: float) -> None:
        """Give a gauge a value."""
        self._words[self._index] = self._value = value

    @property
    def value(self) -> float:
        """What it is in this process."""
        return self._value


class Metrics:
    """The page of a node."""

    def __init__(self, families: Iterable[Family], processes: int = 1) -> None:
        """Lay out the page, all zero.

        Args:
            families: all there are.
            processes: how many count.
        """
        self._families = tuple(families)
        keys = [(family.name, values) for family in self._families for values in family.series]
        self._index = {key: number for number, key in enumerate(keys)}
        if len(self._index) != len(keys):
            raise ValueError("two series have one name")
        # Anonymous and shared: forks see one another's stores.
        self._pages = [mmap.mmap(-1, max(1, len(keys)) * _WORD) for _ in range(processes)]
        self._slots = [memoryview(page).cast("d") for page in self._pages]
        self._slot = 0
        self._series: dict[int, Series] = {}

    def own(self, slot: int) -> None:
        """Say which slot this process counts in. Before it asks for a series.

        Args:
            slot: 0 to processes - 1; a restarted worker takes over the slot of the one before.
        """
        self._slot = slot
        self._series.clear()
        self.clear_gauges(slot)

    def clear_gauges(self, slot: int) -> None:
        """Set the gauges of another process to zero, which has ended. Args: slot: its slot."""
        for family in self._families:
            if family.kind == "gauge":
                for values in family.series:
                    self._slots[slot][self._index[family.name, values]] = 0.0

    def series(self, family: Family, *values: str) -> Series:
        """One series to count with.

        Args:
            family: one that the page was made with.
            values: of its labels, in their order.

        Raises:
            KeyError: the page has no such series.
        """
        index = self._index[family.name, values]
        known = self._series.get(index)
        if known is None:
            known = self._series[index] = Series(self._slots[self._slot], index)
        return known

    def by_value(self, family: Family) -> dict[str, Series]:
        """The series of a family with one label. Args: family: as for `series`."""
        return {values[0]: self.series(family, *values) for values in family.series}

    def by_process(self, family: Family, *values: str) -> tuple[float, ...]:
        """A series as each process has it. Args: as for `series`."""
        index = self._index[family.name, values]
        return tuple(words[index] for words in self._slots)

    def value(self, family: Family, *values: str) -> float:
        """A series as the node has it. Args: as for `series`."""
        numbers = self.by_process(family, *values)
        return max(numbers) if family.total == "max" else sum(numbers)

    def text(self) -> str:
        """The node's series in Prometheus' text format; a time stamp only once there is one."""
        lines = []
        for family in self._families:
            lines += [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.kind}"]
            for values in family.series:
                value = self.value(family, *values)
                if value or family.total == "sum":
                    pairs = zip(family.labels, values, strict=True)
                    labels = ",".join(f'{name}="{label}"' for name, label in pairs)
                    lines.append(f"{family.name}{f'{{{labels}}}' if labels else ''} {value:.17g}")
        return "\n".join([*lines, ""])
