"""The guest that ships, and guests in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from picloud.core.interface import HostFunction
from picloud.sandbox.engine import Engine
from tests.cache import machine_code
from tests.integration.conftest import passwords, worker
from tests.isolation import hostile
from tests.workbench import Workbench, idle_functions

__all__ = ["passwords", "worker"]

Target = Callable[..., Workbench]


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The guest, compiled once for this checkout."""
    engine = Engine(machine_code(), 64, 256)
    yield engine
    engine.close()


@pytest.fixture
def workbench(engine: Engine) -> Iterator[Workbench]:
    """The guest that ships."""
    workbench = Workbench(engine)
    yield workbench
    assert workbench.alive == 0
    workbench.close()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    """Makes a workbench with a module in place of the guest, four slots, and these host functions."""
    made: list[Workbench] = []

    def make(module: bytes, **functions: HostFunction) -> Workbench:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Workbench(hostile.engine(folder, module), idle_functions(**functions)))
        return made[-1]

    yield make
    for workbench in made:
        assert workbench.alive == 0
        workbench.close()
        workbench.engine.close()
