"""Promises of http/admin_host.py."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from picloud.control.domains import Domains
from picloud.control.routes import Routes
from picloud.control.seed import seed
from picloud.http import application
from picloud.http.admin_host import AdminHost
from tests.integration.conftest import CONSOLE, Worker
from tests.integration.http.conftest import ADMIN, Client, serving

OURS = "cloud.example.com"


class _Raw:
    """Asks any host for any path: most of these answers are in no description."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def __call__(self, method: str, host: str, path: str, body: str = "") -> tuple[int, str, Any]:
        """Returns: status, head in lower case, and what the body says."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {self.client.token}"]
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", body]
        answer = await self.client.raw("\r\n".join(lines).encode(), whole=True)
        head, _, said = answer.decode().partition("\r\n\r\n")
        return int(head.split()[1]), head.lower(), json.loads(said) if said.startswith("{") else said


@pytest.fixture
async def ask(worker: Worker) -> AsyncIterator[_Raw]:
    """A server whose admin API has a host of its own; the caller is logged in as the owner."""
    await seed(worker.changes)
    app = await worker.platform.apps.get("default")
    await worker.platform.domains.create(app.id, "*.example.com", CONSOLE)
    domains = Domains(worker.database, worker.changes, OURS)
    routes = Routes(worker.database, worker.changes, OURS)
    platform = replace(worker.platform, admin_host=OURS, domains=domains, routes=routes)
    async with serving(replace(worker, platform=platform)) as client:
        client.token = await worker.session_of(await worker.person("ada", "owner"))
        yield _Raw(client)


@pytest.mark.parametrize(
    "path", [f"{ADMIN}/auth/me", "/api/v1/docs", "/api/v1/openapi.json", f"{ADMIN}/apps?limit=1"]
)
async def test_the_admin_api_and_its_documents_are_on_their_host_only(ask: _Raw, path: str) -> None:
    for host in (OURS, "CLOUD.example.com.:8443"):
        assert (await ask("GET", host, path))[0] == 200
    for host in ("localhost", "other.example.com", "nowhere.org", f"x.{OURS}"):
        status, _, said = await ask("GET", host, path)
        assert (status, said["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", f"{ADMIN}/auth/me"),
        ("POST", "/api/v1/docs"),
        ("GET", f"{ADMIN}/nothing"),
        ("GET", "/admin/x"),
    ],
)
async def test_no_other_host_reveals_the_admin_api(ask: _Raw, method: str, path: str) -> None:
    status, head, said = await ask(method, "localhost", path)
    assert (status, said["error"]["code"]) == (404, "not_found")
    assert "\r\nallow:" not in head
    expected = 405 if method != "GET" else 404
    assert (await ask(method, OURS, path))[0] == expected


async def test_the_setup_page_is_on_the_host_of_the_admin_api(ask: _Raw) -> None:
    assert (await ask("GET", OURS, "/admin/setup?token=x"))[0] == 410
    assert (await ask("GET", "localhost", "/admin/setup?token=x"))[0] == 404


async def test_no_app_is_served_on_the_host_of_the_admin_api(ask: _Raw) -> None:
    assert (await ask("GET", "localhost", "/hello"))[0] == 200
    assert (await ask("GET", "other.example.com", "/hello"))[0] == 200
    for path in ("/hello", "/", "/nothing"):
        status, _, said = await ask("GET", OURS, path)
        assert (status, said["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("pattern", [OURS, "Cloud.Example.COM."])
async def test_no_app_claims_the_host_of_the_admin_api(ask: _Raw, pattern: str) -> None:
    path, body = f"{ADMIN}/apps/default/domains", json.dumps({"pattern": pattern})
    status, _, said = await ask("POST", OURS, path, body)
    assert (status, said["error"]["details"]["field"]) == (422, "pattern")


@pytest.mark.parametrize("path", ["routes", "routes:check"])
@pytest.mark.parametrize("host", [OURS, "Cloud.Example.COM."])
async def test_no_route_names_the_host_of_the_admin_api(
    ask: _Raw, worker: Worker, host: str, path: str
) -> None:
    script = str(await worker.database.fetchval("SELECT id FROM scripts"))
    under = f"{ADMIN}/apps/default/{path}"  # the app has the wildcard domain in which the host lies
    status, _, said = await ask(
        "POST", OURS, under, json.dumps({"script_id": script, "path": "/x", "host": host})
    )
    assert (status, said["error"]["details"]["field"]) == (422, "host")
    assert "PICLOUD_ADMIN_HOST" in said["error"]["message"]
    for other in ("cloud2.example.com", "*.example.com", f"*.{OURS}"):
        body = json.dumps({"script_id": script, "path": f"/{len(other)}", "host": other})
        assert (await ask("POST", OURS, under, body))[0] in (200, 201)


@pytest.mark.parametrize("host", [OURS, "localhost", "nowhere.org"])
async def test_health_and_scripts_by_id_are_served_on_every_host(
    ask: _Raw, worker: Worker, host: str
) -> None:
    for path in ("/healthz", "/readyz", "/version"):
        assert (await ask("GET", host, path))[0] == 200
    script = await worker.database.fetchval("SELECT id FROM scripts")
    path = f"/api/v1/execute/{script}"
    status, head, _ = await ask("POST", host, path)
    assert status == 200
    # A page that it answers with is of an origin of its own where people are logged in.
    assert ("content-security-policy: sandbox\r\n" in head + "\r\n") == (host == OURS)
    assert (await ask("GET", host, path))[0] == 405


REACHING = {
    "clear-site-data": '"*"',
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "service-worker-allowed": "/",
    "nel": '{"report_to": "x", "max_age": 1}',
    "report-to": "{}",
    "reporting-endpoints": 'x="https://evil.example"',
    "set-cookie": "a=" + "b" * 7000,
    "access-control-allow-origin": "*",
    "access-control-allow-credentials": "true",
    "www-authenticate": "Basic",
    "refresh": "0; url=https://evil.example",
    "link": "<https://evil.example>; rel=preload",
    "alt-svc": 'h2="evil.example:443"',
    "accept-ch": "Sec-CH-UA",
    "x-anything": "1",
}
HARMLESS = {"content-type": "text/html", "cache-control": "no-store", "location": "/x", "etag": '"1"'}


@pytest.mark.parametrize("host", [OURS, "localhost"])
async def test_a_scripts_response_does_not_reach_beyond_itself_on_that_host(
    ask: _Raw, worker: Worker, host: str
) -> None:
    script = await worker.database.fetchval("SELECT id FROM scripts")
    headers = ", ".join(
        f"{json.dumps(name)}: {json.dumps(value)}" for name, value in (REACHING | HARMLESS).items()
    )
    source = f"#{{ statusCode: 201, headers: #{{ {headers} }}, body: `<p>` }}"
    saved = await worker.platform.scripts.get(str(script))
    await worker.platform.scripts.update(saved, {"source": source}, actor=CONSOLE)
    status, head, _ = await ask("POST", host, f"/api/v1/execute/{script}")
    assert status == 201
    for name in HARMLESS:
        assert f"\r\n{name}: " in head
    for name in REACHING:
        assert (f"\r\n{name}: " in head) == (host != OURS), name
    assert "\r\nx-request-id: " in head
    assert "\r\nx-execution-id: " in head


async def test_where_no_host_is_named_nothing_is_asked(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_: str) -> AdminHost:
        raise AssertionError("it was made")

    monkeypatch.setattr(application, "AdminHost", never)
    await seed(worker.changes)
    async with serving(worker) as client:
        assert (await client("GET", "/api/v1/openapi.json", host="anywhere.org")).status == 200
        assert (await client("GET", "/hello")).status == 200
