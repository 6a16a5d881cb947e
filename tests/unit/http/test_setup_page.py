"""Promises of the set-up page's files."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

PAGES = files("picloud.http") / "pages"


@pytest.mark.parametrize("name", ["setup.html", "setup_over.html"])
def test_a_page_needs_nothing_from_elsewhere(name: str) -> None:
    text = (PAGES / name).read_text("utf-8")
    assert not re.search(r"""(?:src|href|action)\s*=|url\(|@import|https?:|//[a-z]""", text)
    assert not re.search(r"""\son[a-z]+\s*=|\sstyle\s*=""", text), "inline attributes are not in the policy"
    assert 'name="viewport"' in text
    assert "prefers-color-scheme: dark" in text
