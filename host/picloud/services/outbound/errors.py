"""Errors of outbound calls: denied by a rule, or failed."""

from __future__ import annotations


class Denied(OSError):
    """A rule denies the request. It is an OSError so that it passes through the connector of aiohttp.

    Attributes:
        category: the rule, such as "private address"; never an address.
        host: the host of the URL, if not already known; else "".
    """

    def __init__(self, category: str, detail: str = "", host: str = "") -> None:
        """Create a `Denied`.

        Args:
            category: the rule, for the execution's record.
            detail: the reason for the script author; "" if the rule says enough.
            host: see the attributes.
        """
        super().__init__(f"denied: {detail or category}")
        self.category, self.host = category, host


class Failed(Exception):
    """The request was allowed, but there is no valid response.

    Attributes:
        kind: kind of failure for the record, such as "timeout". Stored, so an existing kind never changes.
    """

    def __init__(self, kind: str, message: str) -> None:
        """Args: kind: see the attributes. message: for the script author, without addresses."""
        super().__init__(message)
        self.kind = kind
