"""Where in a source an error is, as a person reads it."""

from __future__ import annotations

from typing import Protocol


class Located(Protocol):
    """An error with its place, as far as that is known; lines and columns count from 1."""

    @property
    def message(self) -> str:
        """What is wrong."""

    @property
    def line(self) -> int | None:
        """The line."""

    @property
    def column(self) -> int | None:
        """The column."""

    @property
    def module(self) -> str | None:
        """The module it is in, or None for the script itself."""


def excerpt(error: Located, name: str, source: str) -> str:
    """`file:line:column: message`, then the line with a caret under the column.

    Args:
        error: what went wrong, and where if that is known.
        name: of the file.
        source: of the script.
    """
    if error.line is None:
        return f"{name}: {error.message}"
    place = f"{name}:{error.line}" + (f":{error.column}" if error.column else "")
    if error.module is not None:  # the position is in another file, which is not here
        return f"{place} (in module {error.module}): {error.message}"
    lines = source.split("\n")
    if not 1 <= error.line <= len(lines):
        return f"{place}: {error.message}"
    margin = f"{error.line:>5} | "
    line = lines[error.line - 1].rstrip("\r")
    shown = f"{place}: {error.message}\n{margin}{line}"
    if error.column:
        # Tabs are kept, so that the caret stands below its column whatever their width.
        indent = "".join("\t" if character == "\t" else " " for character in line[: error.column - 1])
        shown += f"\n{' ' * (len(margin) - 2)}| {indent}^"
    return shown
