"""Named queries: SQL lives in `queries/<noun>.sql`, and Python asks for it by name.

A file is a sequence of

    -- name: kv_get
    -- One value, unless it has expired.
    SELECT value FROM kv_entries WHERE ...;

The name is an identifier, the comment under it says what the query is for, and both are required.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).with_name("queries")
_NAME_LINE = re.compile(r"--\s*name\b", re.IGNORECASE)
_NAME = re.compile(r"-- name: ([a-z][a-z0-9_]*)")


class QueryFileError(Exception):
    """A `.sql` file is not in the form; the text begins with its name and line."""


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """One named query.

    Attributes:
        name: what Python calls it.
        purpose: one sentence or more, in one line.
        sql: the statement, without the final semicolon.
        line: the line of its name in the file, from 1.
    """

    name: str
    purpose: str
    sql: str
    line: int


class Queries:
    """The queries of one file: each an attribute that is its SQL text."""

    def __init__(self, file: str, queries: Mapping[str, NamedQuery]) -> None:
        """Args: file: name of the file, for messages. queries: by name."""
        self._file = file
        self._queries = queries

    def __getattr__(self, name: str) -> str:
        try:
            return self.__dict__["_queries"][name].sql  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(f"{self.__dict__.get('_file')} has no query named {name}") from None

    def __dir__(self) -> list[str]:
        return sorted(self._queries)

    def all(self) -> tuple[NamedQuery, ...]:
        """Every query, in the order of the file."""
        return tuple(self._queries.values())


@functools.cache
def load(noun: str) -> Queries:
    """Read the queries of `queries/<noun>.sql`; once per process.

    Raises:
        QueryFileError: the file is missing or not in the form.
    """
    path = _FOLDER / f"{noun}.sql"
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise QueryFileError(f"{path.name}:0: file not found") from None
    return Queries(path.name, parse(text, path.name))


def parse(text: str, file: str) -> dict[str, NamedQuery]:
    """Parse the text of a file of queries.

    Args:
        text: the whole file.
        file: its name, for messages.

    Returns:
        The queries by name, in the order of the file.

    Raises:
        QueryFileError: a name is malformed or given twice, a purpose or a statement is missing, or
            something precedes the first name.
    """
    queries: dict[str, NamedQuery] = {}
    for start, block in _blocks(text, file):
        name_match = _NAME.fullmatch(block[0].rstrip())
        if name_match is None:
            raise QueryFileError(
                f"{file}:{start}: invalid name line {block[0].strip()!r}; use '-- name: kv_get'"
            )
        name = name_match[1]
        if name in queries:
            raise QueryFileError(f"{file}:{start}: {name} is already defined in line {queries[name].line}")
        body = 1
        while body < len(block) and block[body].startswith("--"):
            body += 1
        purpose = " ".join(line.lstrip("-").strip() for line in block[1:body]).strip()
        if not purpose:
            raise QueryFileError(
                f"{file}:{start}: {name} needs a comment after its name that states its purpose"
            )
        sql = "\n".join(block[body:]).strip().removesuffix(";").rstrip()
        if not sql:
            raise QueryFileError(f"{file}:{start}: {name} has no statement")
        queries[name] = NamedQuery(name, purpose, sql, start)
    return queries


def _blocks(text: str, file: str) -> list[tuple[int, list[str]]]:
    """Split into (line number, lines) at the name lines; comments and blank lines may precede the first."""
    blocks: list[tuple[int, list[str]]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if _NAME_LINE.match(line):
            blocks.append((number, [line]))
        elif blocks:
            blocks[-1][1].append(line)
        elif line.strip() and not line.startswith("--"):
            raise QueryFileError(f"{file}:{number}: a query must begin with '-- name: ...'")
    return blocks
