"""Why a request does not go out, or comes to nothing."""

from __future__ import annotations


class Refused(OSError):
    """The request must not go out. It is an OSError so that it passes through the connector of aiohttp.

    Attributes:
        category: what rule it breaks, such as "private address"; never an address.
        host: where it was to go, as the URL has it, when that is not known already; else "".
    """

    def __init__(self, category: str, detail: str = "", host: str = "") -> None:
        """Create a `Refused`.

        Args:
            category: the rule, for the execution's record.
            detail: what breaks it, for the script's author, where the rule's name does not say it.
            host: see above.
        """
        super().__init__(f"refused: {detail or category}")
        self.category, self.host = category, host


class Failed(Exception):
    """The request was allowed and got no answer that a script can have.

    Attributes:
        kind: such as "timeout", for the execution's record.
    """

    def __init__(self, kind: str, message: str) -> None:
        """Args: kind: see above; message: for the script's author, without addresses."""
        super().__init__(message)
        self.kind = kind
