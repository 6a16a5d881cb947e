"""The outcome of an execution: the response or an error, log lines and figures."""

from __future__ import annotations

from dataclasses import dataclass, field

OK = "ok"

STATUS = {
    "script_invalid": 422,
    "response_invalid": 422,
    "request_invalid": 400,
    "script_error": 502,
    "overloaded": 503,
    "unavailable": 503,
    "timeout": 504,
    "operation_budget": 507,
    "fuel_budget": 507,
    "memory_limit": 507,
    "host_call_budget": 507,
    "internal": 500,
    "cancelled": 499,
}
"""HTTP status of every outcome except ok; 499 is only used in the log."""
OUTCOMES = (OK, *STATUS)
IMAGES = ("cold", "cached", "none")
"""Whether the script was compiled, an image was used, or neither."""


@dataclass(frozen=True, slots=True)
class FileReference:
    """The file of a response. It need not exist; only files of the same app are searched.

    Attributes:
        collection: name of 1 to 128 bytes.
        id: from the script.
    """

    collection: str
    id: str


@dataclass(frozen=True, slots=True)
class Response:
    """The checked HTTP response of a script: every header is safe to send.

    Attributes:
        status: 200 to 599.
        headers: lower-case names and values, in order; with a content-type unless there is no body or the
            body is a file.
        body: the bytes to send.
        file: the file to send instead, or None.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    file: FileReference | None = None


@dataclass(frozen=True, slots=True)
class ScriptError:
    """An error of a script.

    Attributes:
        message: for the author; the thrown value as text if the script threw one.
        line: 1-based, or None if unknown.
        column: 1-based, or None if unknown.
        module: name of the imported module with the error, or None for the script itself.
        thrown: the thrown value as JSON text; None if the message is all of it, or nothing was thrown.
    """

    message: str
    line: int | None = None
    column: int | None = None
    module: str | None = None
    thrown: str | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """A log line of a script.

    Attributes:
        level: trace, debug, info, warn or error.
        message: the text.
        data: JSON text of its data, or None.
        at: milliseconds since 1970-01-01 UTC.
        dropped: number of lines before it that the limits dropped.
    """

    level: str
    message: str
    data: str | None
    at: float
    dropped: int = 0


@dataclass(slots=True)
class Figures:
    """The cost of an execution.

    Attributes:
        cache: one of `IMAGES`.
        fuel: fuel used, with host calls and without compiling.
        operations: Rhai operations, or None if unknown after a trap.
        peak_memory_bytes: largest size of the linear memory.
        wall_ms: time from admission to the result, in milliseconds.
        host_call_ms: part of it spent in host calls.
        host_calls: number of calls by name.
    """

    cache: str = "none"
    fuel: int = 0
    operations: int | None = None
    peak_memory_bytes: int = 0
    wall_ms: float = 0.0
    host_call_ms: float = 0.0
    host_calls: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """The outcome of an execution.

    Attributes:
        code: "ok" or a key of `STATUS`.
        response: the response, if ok.
        error: the error, if not ok.
        figures: its cost.
        logs: its log lines, within the limits.
        logs_dropped: lines dropped by the limits.
        private: whether the script asked that only figures are recorded.
        platform_texts: texts of errors about the platform that the script got, such as an exceeded quota.
    """

    code: str = "internal"
    response: Response | None = None
    error: ScriptError | None = None
    figures: Figures = field(default_factory=Figures)
    logs: list[LogLine] = field(default_factory=list)
    logs_dropped: int = 0
    private: bool = False
    platform_texts: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """The HTTP status of the response."""
        return self.response.status if self.response is not None else STATUS[self.code]
