"""Promises of http/html_page.py and of the pages' files."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files

import pytest

from picloud.http.html_page import HtmlPage

PAGES = files("picloud.http") / "pages"


@pytest.mark.parametrize("name", sorted(page.name for page in PAGES.iterdir()))
def test_a_page_needs_nothing_from_elsewhere(name: str) -> None:
    text = (PAGES / name).read_text("utf-8")
    assert not re.search(r"""(?:src|href|action)\s*=|url\(|@import|https?:|//[a-z]""", text)
    assert not re.search(r"""\son[a-z]+\s*=|\sstyle\s*=""", text), "inline attributes are not in the policy"
    assert "innerHTML" not in text
    assert 'name="viewport"' in text
    assert "prefers-color-scheme: dark" in text


@pytest.mark.parametrize("name", sorted(page.name for page in PAGES.iterdir()))
def test_the_policy_lets_in_the_pages_own_code_and_nothing_else(name: str) -> None:
    response = HtmlPage(name).response()
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for kind in ("script", "style"):
        for code in re.findall(rf"<{kind}[^>]*>(.*?)</{kind}>", response.text or "", re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
            assert f"{kind}-src 'sha256-{digest}'" in policy
