"""Every row of docs/error-messages.md is true: the code fails with the message, and the other code works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from picloud.sandbox.engine import Engine
from tests.workbench import Workbench, in_memory

PAGE = (Path(__file__).parents[3] / "docs" / "error-messages.md").read_text("utf-8")


def cells(row: str) -> list[str]:
    """The cells of a row of a Markdown table, without the marks of code."""
    texts = (cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1])
    return [re.sub(r"^`(?:` )?(.*?)(?: `)?`$", r"\1", text) for text in texts]


ROWS = [row for line in PAGE.splitlines() if line.startswith("| `") and len(row := cells(line)) == 3]


@pytest.fixture
def workbench(engine: Engine) -> Iterator[Workbench]:
    async def source(_call: object, _name: str) -> bytes | None:
        return None

    workbench = Workbench(engine, in_memory() | {"module_source": source})
    yield workbench
    workbench.close()


def test_the_page_has_its_tables() -> None:
    assert len(ROWS) > 70
    assert len({fails for fails, *_ in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("fails", "message", "works"), ROWS, ids=[fails for fails, *_ in ROWS])
async def test_a_row_is_true(workbench: Workbench, fails: str, message: str, works: str) -> None:
    outcome = await workbench.run(fails)
    assert outcome.error is not None
    start, goes_on, _ = message.partition("…")
    assert outcome.error.message.startswith(start)
    assert goes_on or outcome.error.message == message
    assert outcome.error.line == 1
    if works:
        outcome = await workbench.run(works)
        assert outcome.code == "ok", outcome.error
