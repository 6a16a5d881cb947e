"""Data folders for real servers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.running import OWNER, Server
from tests.cache import machine_code
from tests.scratch import scratch_folder


@pytest.fixture(scope="session")
def first_start() -> Iterator[Path]:
    """The data folder of a server that has started once, answered and stopped; it did not have to compile."""
    with scratch_folder(0o711, " first start") as folder:
        (folder / "data").mkdir(mode=0o711)
        shutil.copytree(machine_code(), folder / "data" / "machine-code")
        with Server(folder / "data", variables=OWNER) as server:
            answer = server.request("GET", "/hello")
            assert answer.status == 200, answer.body
        yield folder / "data"


@pytest.fixture
def data_dir(first_start: Path) -> Iterator[Path]:
    """A copy of that folder, of this test's own."""
    with scratch_folder(0o711, " with spaces") as folder:
        subprocess.run(["cp", "-a", first_start, folder / "data"], check=True)
        yield folder / "data"
