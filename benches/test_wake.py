"""How long after a commit another worker wakes: by a NOTIFY of its own, or by a doorbell.

The node's one listener rings it, or the writer itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from benches.wake import WAYS


@pytest.mark.parametrize("node", ["idle", "busy"])
def test_wake(node: str, report: Callable[[str, str, str], None]) -> None:
    command = [sys.executable, "-m", "benches.wake", node]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=900, check=True)
    micros: dict[str, list[tuple[float, float]]] = json.loads(ended.stdout)
    assert set(micros) == set(WAYS)
    base, tail = micros["listen each"][0]
    for way, ((median, p99), (after, p99_after)) in micros.items():
        figure = f"{median / base:.2f}x, p99 {p99 / tail:.2f}x  p50 {median:,.0f} us, p99 {p99:,.0f} us"
        figure += f"; after the commit {after:,.0f} us, {p99_after:,.0f} us"
        report(f"wake on a node that is {node}: {way} : listen each", figure, "")
