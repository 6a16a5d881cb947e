"""Promises of http/public/cors.py, over real HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from picloud.routing.cors import Cors
from tests.integration.conftest import Worker
from tests.integration.http.conftest import Answer, Client

ORIGIN = "https://page.example"
OWN = """
#{
    statusCode: 200,
    headers: #{ "access-control-allow-origin": "https://evil.example", vary: "Accept" },
    body: "x",
}
"""
SETTINGS: dict[str, Any] = {
    "origins": [ORIGIN, "http://localhost:3000"],
    "methods": ["GET", "PUT"],
    "headers": ["X-Thing"],
    "expose_headers": ["X-Total"],
    "credentials": True,
    "max_age_seconds": 60,
}


async def allow(worker: Worker, settings: dict[str, Any] | None) -> None:
    cors = Cors.parse(settings).as_json() if settings is not None else None
    async with worker.changes.transaction("routes") as connection:
        await connection.execute("UPDATE apps SET cors = $1 WHERE slug = 'default'", cors)


async def preflight(client: Client, path: str = "/hello", origin: str = ORIGIN, **headers: str) -> Answer:
    asked = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
    return await client("OPTIONS", path, headers=asked | headers)


def permissions(answer: Answer) -> dict[str, str]:
    return {
        name.lower().removeprefix("access-control-"): value
        for name, value in answer.headers.items()
        if name.lower().startswith("access-control-")
    }


async def test_a_preflight_gets_the_permissions_of_a_page(anyone: Client, worker: Worker) -> None:
    await allow(worker, SETTINGS)
    for path in ("/hello", "/nothing"):  # that there is nothing, the page is told by the request itself
        answer = await preflight(anyone, path)
        assert (answer.status, answer.body) == (204, b"")
        assert permissions(answer) == {
            "allow-origin": ORIGIN,
            "allow-credentials": "true",
            "allow-methods": "GET, PUT",
            "allow-headers": "x-thing",
            "max-age": "60",
        }
        assert "Origin" in answer.headers["Vary"]


async def test_a_page_of_another_origin_is_permitted_nothing(anyone: Client, worker: Worker) -> None:
    await allow(worker, SETTINGS)
    for origin in ("https://evil.example", "null", "https://page.example.evil", "HTTPS://PAGE.EXAMPLE"):
        answer = await preflight(anyone, origin=origin)
        assert (answer.status, permissions(answer)) == (204, {})
        answer = await anyone("GET", "/hello", headers={"Origin": origin})
        assert (answer.status, permissions(answer), answer.headers["Vary"]) == (200, {}, "Origin")


async def test_an_allowed_page_can_read_responses_and_errors(client: Client, worker: Worker) -> None:
    await allow(worker, SETTINGS)
    await client.route(await client.script("throw 1", name="fails"), "/fails")
    await client.route(await client.script(OWN, name="own"), "/own")
    with_origin = {"Origin": ORIGIN}
    for method, path, status in (
        ("GET", "/hello", 200),
        ("POST", "/own", 405),
        ("GET", "/nothing", 404),
        ("GET", "/fails", 502),
        ("GET", "/own", 200),
        ("OPTIONS", "/own", 204),
    ):
        answer = await client(method, path, headers=with_origin)
        assert answer.status == status
        assert permissions(answer) == {
            "allow-origin": ORIGIN,
            "allow-credentials": "true",
            "expose-headers": "x-total",
        }
        assert answer.headers["Vary"] == ("Accept, Origin" if (method, path) == ("GET", "/own") else "Origin")
    assert permissions(await client("GET", "/own")) == {}  # nobody asked, and the script has no say


async def test_any_origin_can_be_allowed_without_credentials(anyone: Client, worker: Worker) -> None:
    await allow(worker, {"origins": ["*"], "headers": ["*"]})
    answer = await anyone("GET", "/hello", headers={"Origin": "https://anything.example"})
    assert permissions(answer) == {"allow-origin": "*"}
    asked = await preflight(anyone, **{"Access-Control-Request-Headers": "authorization, x-any"})
    assert permissions(asked)["allow-headers"] == "authorization, x-any"
    strange = await preflight(anyone, **{"Access-Control-Request-Headers": "a: b"})
    assert "allow-headers" not in permissions(strange)


async def test_without_settings_a_script_speaks_for_itself(client: Client, worker: Worker) -> None:
    await client.route(await client.script(OWN), "/own", None)
    for answer in (await client("GET", "/own", headers={"Origin": ORIGIN}), await preflight(client, "/own")):
        assert permissions(answer) == {"allow-origin": "https://evil.example"}
    await client.route(await client.script("1", name="get"), "/get")
    plain = await preflight(client, "/get")
    assert (plain.status, permissions(plain), plain.headers["Allow"]) == (204, {}, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("settings", [SETTINGS, {"origins": ["*"]}])
async def test_a_change_of_the_settings_counts_for_the_next_request(
    anyone: Client, worker: Worker, settings: dict[str, Any]
) -> None:
    async def permitted() -> bool:
        return bool(permissions(await anyone("GET", "/hello", headers={"Origin": ORIGIN})))

    assert not await permitted()
    await allow(worker, settings)
    assert await permitted()
    await allow(worker, None)
    assert not await permitted()


async def test_a_host_of_no_app_has_no_settings(anyone: Client, worker: Worker) -> None:
    await worker.database.execute("UPDATE domains SET app_id = $1", await worker.app("shop"))
    await allow(worker, SETTINGS)
    answer = await anyone("GET", "/hello", host="other.example", headers={"Origin": ORIGIN})
    assert (answer.status, permissions(answer)) == (404, {})
