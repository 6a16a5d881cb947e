"""What was sent of an execution's answer, where that is not what the script answered: a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delivered:
    """What went out.

    Attributes:
        status: HTTP status.
        headers: lower-case names and values.
        size: bytes of the body, as far as they were handed to the connection.
    """

    status: int
    headers: Sequence[tuple[str, str]]
    size: int


class ResponseDelivery:
    """The way of one answer; an execution that answers with a file is put on record at the end of it."""

    def __init__(self) -> None:
        """Make it; nothing waits for it."""
        self._record: Callable[[Delivered], None] | None = None

    @property
    def has_record_waiting(self) -> bool:
        """Whether a record waits for the end."""
        return self._record is not None

    def record_at_end(self, record: Callable[[Delivered], None]) -> None:
        """Have a record wait. Args: record: makes it."""
        self._record = record

    def end(self, sent: Delivered) -> None:
        """Tell what was sent; what is told after that changes nothing."""
        record, self._record = self._record, None
        if record is not None:
            record(sent)
