"""Logs on standard output: one JSON object a line, or something pretty on a terminal.

The handler of a request sets `request_id` and `execution_id`; every line logged during it, in
whatever module, carries them.
"""

from __future__ import annotations

import logging
import sys
import time
from contextvars import ContextVar
from typing import TextIO

import orjson

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
execution_id: ContextVar[str | None] = ContextVar("execution_id", default=None)

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "worker"}
_COLOURS = {"debug": "2", "info": "36", "warning": "33", "error": "31", "critical": "31;1"}


def configure(style: str, level: str, stream: TextIO | None = None) -> None:
    """Send everything logged in this process to one stream.

    Args:
        style: "auto" (pretty on a terminal, JSON otherwise), "json" or "pretty".
        level: least level that is written: "debug", "info", "warning" or "error".
        stream: standard output when None.
    """
    stream = stream or sys.stdout
    handler = logging.StreamHandler(stream)
    handler.setFormatter(PrettyFormatter(stream.isatty()) if is_pretty(style, stream) else JsonFormatter())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.captureWarnings(True)


def is_pretty(style: str, stream: TextIO) -> bool:
    """Whether a stream gets the pretty form. Args: style: as for `configure`; stream: where it goes."""
    return style == "pretty" or (style == "auto" and stream.isatty())


def _facts(record: logging.LogRecord) -> dict[str, object]:
    """What identifies a line besides its text, and the `extra` the caller gave."""
    facts: dict[str, object] = {"worker": getattr(record, "worker", None)}
    facts |= {"request_id": request_id.get(), "execution_id": execution_id.get()}
    facts |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
    return {name: value for name, value in facts.items() if value is not None}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, ids, the caller's `extra`, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Format as one line. Args: record: the log record."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class PrettyFormatter(logging.Formatter):
    """Local time, level and message, then the ids and extras as name=value."""

    def __init__(self, colours: bool) -> None:
        """Args: colours: whether the stream supports colours."""
        super().__init__()
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        """Format as one line, followed by the exception. Args: record: the log record."""
        level = record.levelname.lower()
        name = f"{level:<7}"
        if self._colours:
            name = f"\x1b[{_COLOURS.get(level, '0')}m{name}\x1b[0m"
        stamp = time.strftime("%H:%M:%S", time.localtime(record.created))
        facts = "".join(f"  {key}={value}" for key, value in _facts(record).items())
        text = f"{stamp} {name} {record.getMessage()}{facts}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text
