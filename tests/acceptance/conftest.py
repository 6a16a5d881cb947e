"""Data folders for real servers."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.running import OWNER, Server


@pytest.fixture(scope="session")
def first_start() -> Iterator[Path]:
    """The data folder of a server that has started once, answered and stopped."""
    # Not pytest's own temporary folder: that is 0700, and a root's database is another user's.
    folder = Path(tempfile.mkdtemp(prefix="picloud acceptance "))
    folder.chmod(0o711)
    with Server(folder / "data", variables=OWNER) as server:
        answer = server.request("GET", "/hello")
        assert answer.status == 200, answer.body
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def data_dir(first_start: Path) -> Iterator[Path]:
    """A copy of that folder, of this test's own."""
    folder = Path(tempfile.mkdtemp(prefix="picloud acceptance "))
    folder.chmod(0o711)
    subprocess.run(["cp", "-a", first_start, folder / "data"], check=True)
    yield folder / "data"
    shutil.rmtree(folder)
