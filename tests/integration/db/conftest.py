"""Fixtures for tests that start their own servers."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest

from picloud.db.cluster import binary
from picloud.db.server_user import ServerUser
from tests.integration.db.servers import processes_of, wait_for
from tests.scratch import scratch_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path that anybody can enter and write."""
    with scratch_folder(0o777) as path:
        yield path
        wait_for(lambda: not processes_of(path))


@pytest.fixture(params=["me", "ordinary"])
def uid(request: pytest.FixtureRequest, folder: Path) -> int | None:
    """Who starts the server: None for the user of the tests (often root), or else an ordinary user."""
    if request.param == "me":
        return None
    if os.geteuid() != 0:
        pytest.skip("the tests run as an ordinary user already")
    ordinary = pwd.getpwnam("daemon")
    if not ServerUser(ordinary.pw_uid, ordinary.pw_gid).can_run(binary("postgres"), folder):
        pytest.skip("an ordinary user cannot reach the binaries in this environment")
    return ordinary.pw_uid
