"""Logs a message that can repeat very often: at once, and then a count each minute."""

from __future__ import annotations

import logging
import time

PERIOD_SECONDS = 60.0


class RepeatedLog:
    """Limits one message to a line per minute."""

    def __init__(self, logger: logging.Logger, level: int = logging.WARNING) -> None:
        """Create it. Args: logger: where the message goes; level: of `logging`."""
        self._logger, self._level = logger, level
        self._next, self._skipped = 0.0, 0

    def __call__(self, message: str, *args: object) -> None:
        """Log a message, or count it if one was logged within the last minute."""
        now = time.monotonic()
        if now < self._next:
            self._skipped += 1
            return
        if self._skipped:
            message, args = f"{message} (and %d times since the last such line)", (*args, self._skipped)
        self._next, self._skipped = now + PERIOD_SECONDS, 0
        self._logger.log(self._level, message, *args)
