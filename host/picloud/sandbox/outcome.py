"""What came of an execution: the script's answer or an error, its log lines and its figures."""

from __future__ import annotations

from dataclasses import dataclass, field

OK = "ok"

STATUS = {
    "script_invalid": 422,
    "response_invalid": 422,
    "request_invalid": 400,
    "script_error": 502,
    "overloaded": 503,
    "timeout": 504,
    "operation_budget": 507,
    "fuel_budget": 507,
    "memory_limit": 507,
    "host_call_budget": 507,
    "internal": 500,
    "cancelled": 499,
}
"""HTTP status of every outcome but ok (the specification's table); 499 is only for the log."""
OUTCOMES = (OK, *STATUS)
IMAGES = ("cold", "cached", "none")
"""Whether the script was compiled for an execution, an image was there, or it did not come to that."""


@dataclass(frozen=True, slots=True)
class FileReference:
    """A file that a script answers with. It need not be there: only its app's files may be looked among.

    Attributes:
        collection: of the script's choosing, 1 to 128 bytes.
        id: as the script gave it.
    """

    collection: str
    id: str


@dataclass(frozen=True, slots=True)
class Response:
    """A script's HTTP response, checked: every header is safe to send.

    Attributes:
        status: 200 to 599.
        headers: lower-case names and values, in order; a content-type is among them unless there is no body,
            or it is that of the file.
        body: the bytes to send.
        file: the file to send in its place, or None.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    file: FileReference | None = None


@dataclass(frozen=True, slots=True)
class ScriptError:
    """What a script did wrong.

    Attributes:
        message: for the author, in their words where they threw it.
        line: 1-based, or None where there is no position.
        column: 1-based, or None.
        module: name of the imported module it happened in, or None for the script itself.
    """

    message: str
    line: int | None = None
    column: int | None = None
    module: str | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line a script logged.

    Attributes:
        level: trace, debug, info, warn or error.
        message: the text.
        data: JSON text of the map given with it, or None.
        at: milliseconds since 1970-01-01 UTC.
    """

    level: str
    message: str
    data: str | None
    at: float


@dataclass(slots=True)
class Figures:
    """What an execution cost.

    Attributes:
        cache: one of `IMAGES`.
        fuel: burnt by the run, host calls included, compiling excluded.
        operations: Rhai operations, or None where the guest could not tell (it trapped).
        peak_memory_bytes: largest size of the linear memory.
        wall_ms: from permit to answer.
        host_call_ms: of these, spent in host calls.
        host_calls: how many of each name.
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
    """How an execution ended.

    Attributes:
        code: "ok" or a key of `STATUS`.
        response: the script's answer when ok.
        error: what went wrong when not.
        figures: what it cost.
        logs: what it logged, within the limits.
        logs_dropped: lines over the limits.
    """

    code: str = "internal"
    response: Response | None = None
    error: ScriptError | None = None
    figures: Figures = field(default_factory=Figures)
    logs: list[LogLine] = field(default_factory=list)
    logs_dropped: int = 0

    @property
    def status(self) -> int:
        """The HTTP status this outcome is sent with."""
        return self.response.status if self.response is not None else STATUS[self.code]
