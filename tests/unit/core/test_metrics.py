"""Counters of processes are summed, never decrease, and are valid Prometheus text."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from picloud.core.metrics import Family, Metrics

SEEN = Family("picloud_seen_total", "Things seen.", labels={"kind": ("a", "b"), "size": ("s", "l")})
ALL = Family("picloud_all_total", "Everything.")
HERE = Family("picloud_here", "Things here now.", "gauge")
LAST = Family("picloud_last_timestamp_seconds", "When one was seen last.", "gauge", total="max")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics([SEEN, ALL, HERE, LAST], 3)


def in_fork(work: Callable[[], object]) -> None:
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    os.waitpid(child, 0)


def samples(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every series as Prometheus reads it."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.text())
        for sample in family.samples
    }


def test_processes_are_added_up(metrics: Metrics) -> None:
    def count(slot: int) -> Callable[[], None]:
        def work() -> None:
            metrics.own(slot)
            metrics.series(SEEN, "a", "l").inc(slot + 1)
            metrics.series(HERE).set(10)

        return work

    for slot in range(3):
        in_fork(count(slot))
    assert metrics.value(SEEN, "a", "l") == 6
    assert metrics.by_process(SEEN, "a", "l") == (1, 2, 3)
    assert metrics.value(HERE) == 30


def test_processes_that_count_at_the_same_time_lose_nothing(metrics: Metrics) -> None:
    children = []
    for slot in range(3):
        child = os.fork()
        if child == 0:
            metrics.own(slot)
            series = metrics.series(ALL)
            for _ in range(20_000):
                series.inc()
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    assert metrics.value(ALL) == 60_000


def test_counters_continue_over_a_restart_and_gauges_start_again(metrics: Metrics) -> None:
    def life() -> None:
        metrics.own(1)
        metrics.series(ALL).inc(5)
        metrics.series(HERE).inc(7)
        metrics.series(HERE).dec()

    in_fork(life)
    assert (metrics.value(ALL), metrics.value(HERE)) == (5, 6)
    metrics.clear_gauges(1)  # the parent has seen it die
    assert (metrics.value(ALL), metrics.value(HERE)) == (5, 0)
    in_fork(life)
    assert (metrics.value(ALL), metrics.value(HERE)) == (10, 6)
    in_fork(lambda: metrics.own(1))  # the next one came before the parent looked
    assert (metrics.value(ALL), metrics.value(HERE)) == (10, 0)


def test_one_series_asked_for_twice_counts_once(metrics: Metrics) -> None:
    metrics.series(ALL).inc()
    metrics.series(ALL).inc()
    assert metrics.series(ALL).value == metrics.value(ALL) == 2


def test_a_time_stamp_is_the_latest_and_not_there_before_the_first(metrics: Metrics) -> None:
    assert (LAST.name, ()) not in samples(metrics)
    metrics.series(LAST).set(1000.5)
    in_fork(lambda: (metrics.own(2), metrics.series(LAST).set(2000.25)))
    assert samples(metrics)[LAST.name, ()] == 2000.25


def test_prometheus_reads_every_series_with_its_help_and_type(metrics: Metrics) -> None:
    metrics.series(SEEN, "b", "s").inc()
    metrics.series(ALL).inc(2**53)
    read = {family.name: family for family in text_string_to_metric_families(metrics.text())}
    assert {name: (family.type, family.documentation) for name, family in read.items()} == {
        "picloud_seen": ("counter", "Things seen."),
        "picloud_all": ("counter", "Everything."),
        "picloud_here": ("gauge", "Things here now."),
        "picloud_last_timestamp_seconds": ("gauge", "When one was seen last."),
    }
    assert [sample.labels for sample in read["picloud_seen"].samples] == [
        {"kind": kind, "size": size} for kind in "ab" for size in "sl"
    ]
    assert samples(metrics)["picloud_seen_total", ("b", "s")] == 1
    assert samples(metrics)["picloud_all_total", ()] == 2**53


def test_a_label_has_the_values_of_its_list_and_no_other(metrics: Metrics) -> None:
    with pytest.raises(KeyError):
        metrics.series(SEEN, "a", "from a request")


def test_two_families_of_one_name_are_rejected() -> None:
    with pytest.raises(ValueError, match="two series"):
        Metrics([ALL, Family(ALL.name, "Something else.")])
