"""What a counter of the metrics costs where requests pass: one `inc`, against a method that does nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from timeit import repeat

from benches.ratio import take_turns

from picloud.core.metrics import Family, Metrics

SEEN = Family("picloud_seen_total", "Things seen.", labels={"status": ("2xx", "5xx")})
ROUNDS, CALLS = 15, 100_000


class Nothing:
    """The least a call of a method can cost."""

    def inc(self, amount: float = 1.0) -> None:
        pass


def test_counter_cost(report: Callable[[str, str, str], None], quiet: None) -> None:
    metrics = Metrics([SEEN], 2)

    def of(counter: object) -> Callable[[], list[float]]:
        # Processor time: what others do on the machine does not count.
        timer = time.process_time
        return lambda: repeat("counter.inc()", "", timer, 3, CALLS, {"counter": counter})

    series = metrics.series(SEEN, "2xx")
    ratio = take_turns(of(series), of(Nothing()), ROUNDS)
    assert metrics.value(SEEN, "2xx") == ROUNDS * 3 * CALLS
    ours, baseline = (seconds / CALLS * 1e9 for seconds in (ratio.ours, ratio.baseline))
    report("a counter : an empty method", f"{ratio}  {ours:.0f} ns : {baseline:.0f} ns", "some 100 ns")
