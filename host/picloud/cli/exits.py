"""How a command ends: the exit codes, and the error that carries one."""

from __future__ import annotations

from picloud.cli.terminal import plain

DONE, FAILED, WRONG_USE, DOES_NOT_PARSE, NOT_FOUND, NOT_ALLOWED, CONFLICT, UNREACHABLE = range(8)
INTERRUPTED = 130

EXIT_CODES = {
    DONE: "done",
    FAILED: "it could not be done, or the script failed",
    WRONG_USE: "the command line, a file or a value is wrong",
    DOES_NOT_PARSE: "a script does not parse",
    NOT_FOUND: "it is not there",
    NOT_ALLOWED: "not logged in, or not allowed",
    CONFLICT: "someone else changed it, or the name is taken",
    UNREACHABLE: "the server cannot be reached or is not ready",
    INTERRUPTED: "interrupted",
}
"""Exit code -> meaning; source of the help and the docs."""


class Failure(Exception):
    """A command that cannot be done.

    Attributes:
        message: for a person, mostly one line.
        exit_code: one of `EXIT_CODES`.
        code: a word for programs, as in the API's error shape.
    """

    def __init__(self, message: str, exit_code: int = FAILED, code: str = "failed") -> None:
        """Escapes control characters in the message."""
        self.message = plain(message, keep="\n\t")
        self.exit_code = exit_code
        self.code = code
        super().__init__(self.message)

    @property
    def as_json(self) -> dict[str, object]:
        """The failure in the API's error shape, for `--json`."""
        return {"error": {"code": self.code, "message": self.message}}


def wrong_use(message: str) -> Failure:
    """A failure that is the caller's mistake. Args: message: one plain sentence."""
    return Failure(message, WRONG_USE, "wrong_use")
