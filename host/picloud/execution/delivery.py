"""The delivery of a response that is a file: what was sent goes into the record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delivered:
    """The sent response.

    Attributes:
        status: HTTP status.
        headers: lower-case names and values.
        size: bytes of the body that were written to the connection.
    """

    status: int
    headers: Sequence[tuple[str, str]]
    size: int


class ResponseDelivery:
    """The delivery of one response; if it is a file, the execution is recorded at its end."""

    def __init__(self) -> None:
        self._record: Callable[[Delivered], None] | None = None

    @property
    def has_record_waiting(self) -> bool:
        """Whether a record waits for the end of the delivery."""
        return self._record is not None

    def record_at_end(self, record: Callable[[Delivered], None]) -> None:
        """Record the execution at the end. Args: record: writes the record."""
        self._record = record

    def end(self, sent: Delivered) -> None:
        """End the delivery; later calls have no effect."""
        record, self._record = self._record, None
        if record is not None:
            record(sent)
