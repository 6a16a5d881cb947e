"""Metrics of a real server: summed over its workers, and never lower after one of them died."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.running import Server, until

SERVED = ("picloud_executions_total", "outcome=ok", "image=cached")


def metrics(server: Server) -> dict[tuple[str, ...], float]:
    answer = server.request("GET", "/metrics")
    assert answer.status == 200
    return {
        (sample.name, *(f"{name}={value}" for name, value in sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def test_counters_of_workers_are_summed_and_survive_a_dead_worker(data_dir: Path) -> None:
    with Server(data_dir) as server:
        assert server.request("GET", "/hello").status == 200
        before = metrics(server)
        for _ in range(20):  # on whichever worker each connection lands
            assert server.request("GET", "/hello").status == 200
        after = metrics(server)
        ran = sum(
            after[name] - before[name] for name in after if name[0] == SERVED[0] and "outcome=ok" in name
        )
        assert ran == 20
        assert after["picloud_execution_permits",] == 2 * 256
        victims = server.workers()
        victims[0].kill()
        until(lambda: metrics(server)["picloud_worker_restarts_total",] == 1, "the restart to be counted")
        until(lambda: len(server.workers()) == 2, "another worker")
        until(lambda: metrics(server)["picloud_execution_permits",] == 2 * 256, "it to count")
        last = metrics(server)
        counters = [name for name in after if name[0].endswith("_total")]
        assert [name for name in counters if last[name] < after[name]] == []


def test_background_jobs_run_again_and_again_and_none_fails(data_dir: Path) -> None:
    with Server(data_dir) as server:

        def runs(job: str) -> float:
            return metrics(server)["picloud_job_runs_total", f"job={job}"]

        until(lambda: runs("compact_usage") >= 2, "a job of one worker")
        until(lambda: runs("check_routing") >= 2, "a job of each worker")
        failed = [
            name for name, n in metrics(server).items() if name[0] == "picloud_job_failures_total" and n
        ]
        assert failed == []
