"""Exit codes, and the error that carries one."""

from __future__ import annotations

from picloud.cli.terminal import plain

DONE, FAILED, WRONG_USE, DOES_NOT_PARSE, NOT_FOUND, NOT_ALLOWED, CONFLICT, UNREACHABLE = range(8)
INTERRUPTED = 130

EXIT_CODES = {
    DONE: "success",
    FAILED: "the command or the script failed",
    WRONG_USE: "the command line, a file or a value is invalid",
    DOES_NOT_PARSE: "a script does not parse",
    NOT_FOUND: "not found",
    NOT_ALLOWED: "not logged in, or permission denied",
    CONFLICT: "conflict: changed by another user, or the name is in use",
    UNREACHABLE: "the server cannot be reached or is not ready",
    INTERRUPTED: "interrupted",
}
"""Exit code -> meaning, for the help and the docs."""


class Failure(Exception):
    """A command failed.

    Attributes:
        message: for users, usually one line.
        exit_code: one of `EXIT_CODES`.
        code: the error code, for programs.
    """

    def __init__(self, message: str, exit_code: int = FAILED, code: str = "failed") -> None:
        """Escapes control characters in the message."""
        self.message = plain(message, keep="\n\t")
        self.exit_code = exit_code
        self.code = code
        super().__init__(self.message)

    @property
    def as_json(self) -> dict[str, object]:
        """The failure as the API's error object, for `--json`."""
        return {"error": {"code": self.code, "message": self.message}}


def wrong_use(message: str) -> Failure:
    """Return the failure for invalid input of the user."""
    return Failure(message, WRONG_USE, "wrong_use")
