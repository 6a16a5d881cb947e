"""Ports that scripts cannot call by default.

Databases, caches, queues and machine management often trust every client, so their ports are closed. The same
applies to the ports above 1023 that browsers block (Fetch standard, "bad port"). Below 1024, only 80 and 443
are ever open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from picloud.core.numbers import read_integer


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports from `first` to `last`, both included."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> Ports:
        """Parse "5432" or "6665-6669". Raises: ValueError: the text is neither."""
        first, dash, last = text.partition("-")
        ports = cls(read_integer(first, 1, 65535), read_integer(last if dash else first, 1, 65535))
        if ports.first > ports.last:
            raise ValueError(text)
        return ports

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.last + 1))

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


SERVICES = (
    "1433-1434, 1521, 1719-1720, 1723, 1883, 2049, 2181, 2375-2380, 3306, 3389, 3659, 4045, 4190, "
    "4222, 4369, 5060-5061, 5432-5433, 5672, 5900-5910, 5984-5986, 6000-6063, 6379-6380, 6432, 6443, "
    "6566, 6660-6669, 6697, 7000-7001, 7199, 7687, 8086, 8300-8302, 8500-8502, 8883, 9042, 9092-9094, "
    "9160, 9200, 9300, 10080, 10250-10259, 11211, 15672, 16379, 25672, 26257, 26379, 27017-27019, "
    "28015, 33060"
)
