from __future__ import annotations

import re
from pathlib import Path

import pytest

from picloud.cli.reference import PAGES
from picloud.config import TABLE
from picloud.config.client import CLIENT_VARIABLES

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_page_is_up_to_date(name: str) -> None:
    page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    assert page == PAGES[name](), f"run: .venv/bin/picloud config --reference {name} > docs/{name}.md"


def test_every_variable_named_in_code_or_docs_is_in_the_table() -> None:
    known = {setting.env for setting in TABLE} | CLIENT_VARIABLES.keys()
    texts = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "host").rglob("*.py")]
    named = {
        (file.name, name)
        for file in texts
        for name in re.findall(r"PICLOUD_[A-Z_]+[A-Z]\b", file.read_text(encoding="utf-8"))
    }
    assert {(file, name) for file, name in named if name not in known} == set()
