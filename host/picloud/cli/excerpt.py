"""Formats the position of an error in a source."""

from __future__ import annotations

from typing import Protocol


class Located(Protocol):
    """An error with an optional position; lines and columns start at 1."""

    @property
    def message(self) -> str:
        """The message."""

    @property
    def line(self) -> int | None:
        """The line."""

    @property
    def column(self) -> int | None:
        """The column."""

    @property
    def module(self) -> str | None:
        """The module that contains it; None for the script itself."""


def excerpt(error: Located, name: str, source: str) -> str:
    """Return `file:line:column: message`, then the line with a caret under the column.

    Args:
        error: the error.
        name: name of the file.
        source: source of the script.
    """
    if error.line is None:
        return f"{name}: {error.message}"
    place = f"{name}:{error.line}" + (f":{error.column}" if error.column else "")
    if error.module is not None:  # the position is in a file we do not have
        return f"{place} (in module {error.module}): {error.message}"
    lines = source.split("\n")
    if not 1 <= error.line <= len(lines):
        return f"{place}: {error.message}"
    margin = f"{error.line:>5} | "
    line = lines[error.line - 1].rstrip("\r")
    shown = f"{place}: {error.message}\n{margin}{line}"
    if error.column:
        # Keep tabs, so that the caret is aligned at any tab width.
        indent = "".join("\t" if character == "\t" else " " for character in line[: error.column - 1])
        shown += f"\n{' ' * (len(margin) - 2)}| {indent}^"
    return shown
