from __future__ import annotations

import re
from pathlib import Path

from picloud.config import TABLE
from picloud.config.reference import reference

ROOT = Path(__file__).parents[3]


def test_the_reference_page_is_what_the_table_says() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == reference(), "run: .venv/bin/picloud config --reference > docs/configuration.md"


def test_every_variable_named_in_code_or_docs_is_in_the_table() -> None:
    known = {knob.env for knob in TABLE}
    texts = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "host").rglob("*.py")]
    named = {
        (file.name, name)
        for file in texts
        for name in re.findall(r"PICLOUD_[A-Z_]+[A-Z]\b", file.read_text(encoding="utf-8"))
    }
    assert {(file, name) for file, name in named if name not in known} == set()
