"""`GET /metrics`: access and content."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest
from prometheus_client.parser import text_string_to_metric_families

from picloud.server.metrics import FAMILIES
from tests.integration.conftest import Worker
from tests.integration.http.conftest import Answer, Client, anyone, client, serving

__all__ = ["anyone", "client"]

TOKEN = "a-token-of-enough-letters"
PROXY = {"trusted": (ip_network("127.0.0.1"),)}


def read(answer: Answer) -> dict[str, float]:
    """Every series as Prometheus reads it, by name and labels."""
    assert answer.status == 200, answer.body
    return {
        " ".join([sample.name, *(f"{name}={value}" for name, value in sample.labels.items())]): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


async def test_prometheus_parses_counters_of_requests_and_executions(client: Client) -> None:
    before = read(await client("GET", "/metrics"))
    script = await client.script('if "fail" in ctx.request.query { throw "no" } "hello"')
    await client.route(script, "/hi")
    for query in ("", "", "?fail=yes"):
        await client("GET", f"/hi{query}")
    await client("GET", "/nothing")
    after = read(await client("GET", "/metrics"))
    grown = {name: after[name] - before.get(name, 0.0) for name in after}
    assert grown["picloud_executions_total outcome=ok image=cold"] == 1
    assert grown["picloud_executions_total outcome=ok image=cached"] == 1
    assert grown["picloud_executions_total outcome=script_error image=cached"] == 1
    assert grown["picloud_images_compiled_total"] == 1
    assert grown["picloud_image_hits_total where=memory"] == 2
    assert grown["picloud_images"] == 1
    assert grown["picloud_image_bytes"] > 0
    assert grown["picloud_execution_fuel_total"] > 0
    assert grown["picloud_execution_seconds_total"] > 0
    assert grown["picloud_execution_records_queued_total"] == 3
    assert grown["picloud_http_requests_total status=4xx"] == 1
    assert grown["picloud_http_requests_total status=5xx"] == 1
    assert grown["picloud_http_requests_total status=2xx"] == 5  # a script, a route, two answers, the metrics
    assert after["picloud_executions_running class=http"] == 0
    assert after["picloud_execution_permits"] == 32
    assert after["picloud_connections"] >= 1


async def test_every_family_is_there_with_its_type_and_help(anyone: Client) -> None:
    answer = await anyone("GET", "/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(answer.body.decode("utf-8"))}
    for family in FAMILIES:
        there = families[family.name.removesuffix("_total")]
        assert (there.type, there.documentation) == (family.kind, family.help)


async def test_a_full_gate_is_counted(client: Client, worker: Worker) -> None:
    script = await client.script('"hello"')
    for _ in range(32):
        worker.admission.acquire(worker.database)  # type: ignore[arg-type]  # any app but the script's
    assert (await client.execute(script)).status == 503
    seen = read(await client("GET", "/metrics"))
    assert seen["picloud_executions_refused_total class=http"] == 1
    assert seen["picloud_executions_running class=http"] == 32


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
async def test_a_request_passed_on_by_a_proxy_is_not_local(anyone: Client, header: str) -> None:
    answer = await anyone("GET", "/metrics", headers={header: "127.0.0.1"})
    assert (answer.status, answer.error) == (403, "forbidden")


@pytest.mark.parametrize(
    ("forwarded_for", "status"),
    [("192.0.2.1", 403), ("127.0.0.1, 192.0.2.1", 403), ("::1", 200), ("nonsense", 200)],
)
async def test_a_trusted_proxy_says_who_the_client_is(
    anyone: Client, worker: Worker, forwarded_for: str, status: int
) -> None:
    async with serving(worker, **PROXY) as behind_a_proxy:
        answer = await behind_a_proxy("GET", "/metrics", headers={"X-Forwarded-For": forwarded_for})
        assert answer.status == status


async def test_the_token_opens_it_from_anywhere_and_no_other_does(anyone: Client, worker: Worker) -> None:
    guarded = replace(worker, platform=replace(worker.platform, metrics_token=TOKEN))
    async with serving(guarded) as elsewhere:
        for authorization, status in (
            (f"Bearer {TOKEN}", 200),
            (f"bearer {TOKEN}", 200),
            (f"Bearer {TOKEN[:-1]}", 403),
            (f"Bearer {TOKEN}x", 403),
            ("Bearer ", 403),
            (f"Basic {TOKEN}", 403),
            ("", 403),
        ):
            headers = {"X-Forwarded-For": "192.0.2.1", "Authorization": authorization}
            answer = await elsewhere("GET", "/metrics", headers=headers)
            assert answer.status == status, authorization
        assert (await elsewhere("GET", "/metrics")).status == 200  # of this machine


async def test_without_a_token_none_opens_it(anyone: Client) -> None:
    for authorization in ("Bearer ", "Bearer None"):
        headers = {"X-Forwarded-For": "192.0.2.1", "Authorization": authorization}
        assert (await anyone("GET", "/metrics", headers=headers)).status == 403


async def test_metrics_are_served_on_the_host_of_the_admin_api(anyone: Client, worker: Worker) -> None:
    apart = replace(worker, platform=replace(worker.platform, admin_host="cloud.example"))
    async with serving(apart) as there:
        assert (await there("GET", "/metrics", host="cloud.example")).status == 200
        assert (await there("GET", "/metrics", host="shop.example")).status == 404
