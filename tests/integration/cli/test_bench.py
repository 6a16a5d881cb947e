"""`picloud bench` at its shortest: its figures are printed, no time is asserted."""

from __future__ import annotations

import json

import pytest

from picloud.cli import main
from picloud.cli.bench import shown
from picloud.cli.benchmark import WORKS, Medians


def test_every_work_is_measured_three_ways(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--seconds", "0", "--json"]) == 0
    items = json.loads(capsys.readouterr().out)["items"]
    assert [item["name"] for item in items] == [work.name for work in WORKS]
    assert all(item["cold"] > 0 and item["cached"] > 0 and item["in_process"] > 0 for item in items)
    assert all(item["fuel"] > 0 for item in items)


def test_the_table_has_bars_in_proportion() -> None:
    text = shown(Medians("work", cold=0.002, cached=0.001, in_process=0.0000005, fuel=1234))
    assert text.splitlines() == [
        "work  (1,234 fuel)",
        f"  cold          2.00 ms    2.00x  {'█' * 30}",
        f"  cached        1.00 ms    1.00x  {'█' * 15}",
        "  in-process     0.5 us    0.00x  ",
    ]
