"""Documents name only what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*/*.md")]


def anchors(page: Path) -> set[str]:
    """What links into a page can name: its headings, as Markdown viewers call them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_test_the_threat_model_names_exists() -> None:
    text = (ROOT / "THREAT_MODEL.md").read_text("utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) > 100
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (ROOT / file).exists() or f"def {name}(" not in (ROOT / file).read_text("utf-8")
    ]
    assert missing == []


def test_every_threat_names_a_test() -> None:
    rows = [line for line in (ROOT / "THREAT_MODEL.md").read_text("utf-8").splitlines() if line[:2] == "| "]
    threats = [row for row in rows if row != "| threat | what holds | tests |"]
    assert len(threats) > 50
    assert [row for row in threats if not re.search(r"\| `tests/[^|]*` \|$", row)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", page.read_text("utf-8"))
    assert [link for link, _ in links if not (page.parent / link).exists()] == []
    broken = [
        f"{link}#{anchor}"
        for link, anchor in links
        if anchor and anchor not in anchors(page.parent / link if link else page)
    ]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    """Paths in backticks that begin with a folder of this repository."""
    folders = "script|host|guest-runtime|sdk-bindings|migrations|docs|requirements|tests|benches"
    named = re.findall(rf"`((?:{folders})/[\w./-]+)`", page.read_text("utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_file_on_the_way_of_a_request_exists() -> None:
    """The drawings of docs/architecture.md name files below host/picloud."""
    drawings = re.findall(
        r"^```\n(.*?)^```$", (ROOT / "docs/architecture.md").read_text("utf-8"), re.M | re.S
    )
    named = re.findall(r"[\w/]+\.(?:py|sql)\b", "".join(drawings))
    assert len(named) > 30
    folders = (ROOT, ROOT / "host/picloud", ROOT / "host/picloud/sandbox")
    assert [name for name in named if not any((folder / name).exists() for folder in folders)] == []
