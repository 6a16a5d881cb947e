"""The load attacks: their table, and one of them against a real server."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from tests.isolation.load.attacks import ATTACKS, SCRIPTS
from tests.isolation.load.probes import Latencies

ROOT = Path(__file__).parents[2]


def test_every_attack_has_a_name_of_its_own_and_something_to_do() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    for attack in ATTACKS:
        assert attack.signal is not None or attack.connections * len(attack.request + attack.forever) > 0
        path = attack.request.split(b" ", 2)[1].decode() if attack.request else "/"
        assert path.removeprefix("/") in SCRIPTS or path == "/" or path.startswith("/api/")


@pytest.mark.parametrize(
    ("values", "p50", "p99"), [([1.0], 1, 1), ([float(n) for n in range(100, 0, -1)], 50, 99)]
)
def test_percentiles_are_values_that_were_measured(values: list[float], p50: float, p99: float) -> None:
    latencies = Latencies(values)
    assert (latencies.percentile(50), latencies.percentile(99)) == (p50, p99)
    assert math.isnan(Latencies().percentile(50))


@pytest.mark.slow
def test_script_attack_prints_a_row_for_each_probe() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.isolation.load", "--seconds", "1", "--workers", "1", "long lengths"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=ROOT,
    )
    assert ended.returncode == 0, ended.stderr
    for probe in ("another app", "admin API", "/healthz"):
        assert probe in ended.stdout
    assert "answers: " in ended.stdout
