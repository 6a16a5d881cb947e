"""The commands of the documents run as written and print the output shown."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.walk import ROOT, Walk, blocks, is_as_shown
from tests.scratch import scratch_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    with scratch_folder(0o711, " walk") as folder:
        yield folder


WALKED = {
    "README.md": 5,
    "docs/start.md": 5,
    "docs/team.md": 18,
    "docs/people.md": 8,
    "docs/routing.md": 6,
    "docs/operate.md": 5,
    "docs/script-guide.md": 2,
}
"""Page -> how many blocks it has at least."""


@pytest.mark.slow
@pytest.mark.parametrize(("page", "least"), WALKED.items())
def test_every_command_of_the_page_does_what_the_page_shows(
    page: str, least: int, folder: Path, first_start: Path
) -> None:
    if "curl " in (ROOT / page).read_text("utf-8") and shutil.which("curl") is None:
        pytest.skip("the page calls scripts with curl, which this machine has not")
    with Walk(folder, first_start / "machine-code") as walk:
        assert walk.go(ROOT / page) >= least


def test_every_page_with_commands_is_walked() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    with_commands = {str(page.relative_to(ROOT)) for page in pages if any(blocks(page))}
    assert with_commands == set(WALKED), "add pages with sh blocks to WALKED, with the number of blocks"


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        ("one  two", "one two", True),
        ("made the app 17, now", "made the app …, now", True),
        ("made the app 17", "made the app …, now", False),
        ("one\ntwo", "one…two", False),
        ("a.b", "a-b", False),
        ("one\nmore", "one", False),
    ],
)
def test_the_printed_output_is_compared(printed: str, shown: str, same: bool) -> None:
    assert is_as_shown(printed, shown) is same
