"""The messages about apps, domains, routes and scripts, each once, as the admin API returns them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from picloud.control import domains, routes
from picloud.control.scripts import imports
from picloud.control.seed import seed
from tests.integration.conftest import Worker
from tests.integration.http.conftest import Client, serving

MODULE = "fn f() { 1 }"


@pytest.fixture
async def client(worker: Worker) -> AsyncIterator[Client]:
    """An owner, the apps shop and other, a module that is imported, a route and its domain."""
    await seed(worker.changes)
    async with serving(worker) as client:
        client.token = await worker.session_of(await worker.person("ada", "owner"))
        for slug in ("other", "shop", "old"):
            await worker.app(slug)
        await client.admin("PATCH", "/apps/old", {"slug": "new"})
        await client.script(MODULE, "lib", "shop", kind="module")
        await client.script('import "lib" as l; l::f()', "home", "shop")
        await client.admin("POST", "/apps/shop/domains", {"pattern": "shop.example"})
        yield client


async def rejected(client: Client, method: str, path: str, body: object = None) -> str:
    answer = await client.admin(method, path, body)
    return str(answer.json["error"]["message"]) if answer.status >= 400 else f"{method} {path} is accepted"


async def test_a_rejected_change_says_why(
    client: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = {
        one["name"]: one["id"] for one in (await client.admin("GET", "/apps/shop/scripts")).json["items"]
    }
    home, lib = scripts["home"], scripts["lib"]
    (domain,) = (await client.admin("GET", "/apps/shop/domains")).json["items"]
    route = {"script_id": home, "path": "/a", "host": "shop.example"}
    assert (await client.admin("POST", "/apps/shop/routes", route)).status == 201
    (first,) = (await client.admin("GET", "/apps/shop/routes")).json["items"]
    monkeypatch.setattr(imports, "MAX_MODULES", 1)

    requests: list[tuple[str, str, object, str]] = [
        ("GET", "/apps/none", None, "app 'none' not found"),
        ("GET", "/scripts/none", None, "script 'none' not found"),
        ("GET", "/apps/shop/routes/none", None, "route 'none' not found"),
        ("DELETE", "/apps/shop/domains/none", None, "domain 'none' not found"),
        ("GET", f"/scripts/{home}/versions/9", None, "version '9' not found"),
        (
            "POST",
            "/apps",
            {"slug": "A", "name": "A"},
            (
                "invalid slug; use 1 to 63 lower-case letters, digits or hyphens, not starting with a "
                "hyphen, and not a UUID"
            ),
        ),
        (
            "POST",
            "/apps",
            {"slug": "a", "name": " "},
            "a name must have 1 to 128 characters and no surrounding spaces",
        ),
        ("POST", "/apps", {"slug": "a", "name": "\x1b"}, "a name must not contain control characters"),
        (
            "POST",
            "/apps",
            {"slug": "a", "name": "A", "description": "x" * 4097},
            "description: string should have at most 4096 characters",
        ),
        ("POST", "/apps", {"slug": "shop", "name": "A"}, "the slug 'shop' is used by another app"),
        (
            "POST",
            "/apps",
            {"slug": "old", "name": "A"},
            "the slug 'old' is a former slug of another app; use takeover: true to take it",
        ),
        (
            "DELETE",
            "/apps/shop",
            None,
            (
                "the app is not empty (scripts: 2, routes: 1, domains: 1); "
                "use ?force=true to delete it with all its data"
            ),
        ),
        (
            "POST",
            "/apps/shop/domains",
            {"pattern": "shop.example"},
            "this app has already claimed the host 'shop.example'",
        ),
        (
            "POST",
            "/apps/other/domains",
            {"pattern": "shop.example"},
            "the host 'shop.example' is already claimed",
        ),
        (
            "DELETE",
            f"/apps/shop/domains/{domain['id']}",
            None,
            "routes use hosts of this domain; use ?force=true to delete them too",
        ),
        (
            "POST",
            "/apps/shop/routes",
            route,
            "another route matches the same requests with equal precedence",
        ),
        (
            "POST",
            "/apps/shop/routes",
            {**route, "script_id": lib},
            "a module cannot handle a route; use a script of kind endpoint",
        ),
        (
            "POST",
            "/apps/shop/routes",
            {**route, "host": "a.example"},
            "no domain of the app covers the host 'a.example'; claim it first",
        ),
        (
            "POST",
            "/apps/shop/routes",
            {**route, "dispatch_mode": "async"},
            "dispatch_mode must be 'sync'; 'async' is not available yet",
        ),
        (
            "POST",
            "/apps/shop/routes",
            {**route, "host": ":a.example", "path": "/:a"},
            "the parameter 'a' is used in both the host and the path",
        ),
        ("PATCH", f"/apps/shop/routes/{first['id']}", {"path": None}, "path cannot be null"),
        (
            "POST",
            "/apps/shop/scripts",
            {"name": "home", "source": "1"},
            "the app already has a script named 'home'",
        ),
        (
            "POST",
            "/apps/shop/scripts",
            {"name": "a", "source": 'import "b" as b; import "c" as c; 1'},
            "a script can import at most 1 modules, not 2",
        ),
        (
            "POST",
            "/apps/shop/scripts",
            {"name": "a", "source": "x" * 1048577},
            "the source has 1048577 bytes, more than the maximum of 1048576",
        ),
        (
            "PATCH",
            f"/scripts/{home}",
            {"source": "2", "version": 9},
            "the script was changed in the meantime; read it again",
        ),
        (
            "DELETE",
            f"/scripts/{home}",
            None,
            "the script has routes; use ?force=true to delete them too",
        ),
        (
            "PATCH",
            f"/scripts/{home}",
            {"kind": "module", "source": MODULE},
            "the script has routes; a module cannot handle requests",
        ),
        (
            "DELETE",
            f"/scripts/{lib}",
            None,
            "scripts import the module 'lib'; use ?force=true to proceed anyway",
        ),
        ("GET", "/apps/shop/executions?outcome=none", None, "unknown outcome 'none'"),
    ]
    said = [await rejected(client, method, path, body) for method, path, body, _ in requests]
    assert said == [message for *_, message in requests]

    monkeypatch.setattr(domains, "MAX_DOMAINS", 1)
    monkeypatch.setattr(routes, "MAX_ROUTES", 1)
    assert [
        await rejected(client, "POST", "/apps/shop/domains", {"pattern": "more.example"}),
        await rejected(client, "POST", "/apps/shop/routes", {**route, "path": "/b"}),
    ] == ["an app can have at most 1 domains", "an app can have at most 1 routes"]


async def test_a_denied_claim_names_the_capability(client: Client, worker: Worker) -> None:
    other = (await client.admin("GET", "/apps/other")).json["id"]
    await client.admin("POST", "/apps/shop/domains", {"pattern": "*.wide.example"})
    eve = await worker.person("eve", app_id=other, app_role="app_admin")
    client.token = await worker.session_of(eve)
    assert [
        await rejected(client, "POST", "/apps/other/domains", {"pattern": "a.wide.example"}),
        await rejected(client, "PATCH", "/apps/other", {"slug": "old", "takeover": True}),
    ] == [
        (
            "the host 'a.wide.example' is inside another app's wildcard; "
            "requires the capability domain.manage in that app"
        ),
        (
            "the slug 'old' is a former slug of another app; taking it requires the capability app.admin in "
            "that app"
        ),
    ]
