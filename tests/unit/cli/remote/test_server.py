"""A hostile server cannot harm the folder of a pull."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from picloud.cli.remote import client
from picloud.cli.remote.client import Client, Unreachable, connect
from picloud.cli.remote.folder import remote_app as server
from picloud.cli.remote.folder.model import Remote

APP = {"id": "1", "slug": "shop", "name": "Shop", "description": ""}
SCRIPT = {
    "id": "2",
    "name": "a",
    "source": "1",
    "kind": "endpoint",
    "description": "",
    "version": 1,
    "execute_access": "open",
    "sandbox": {"max_fuel": 1},
    "record_bodies": None,
}
ROUTE = {"id": "3", "script_id": "2", "method": None, "path": "/", "host": "any", "dispatch_mode": "sync"}
DOMAIN = {"id": "4", "pattern": "shop.example"}
SETTINGS = {"record_bodies": "errors", "public_errors": False, "more": "of a later version"}
VARIABLE = {"name": "API_URL", "value": "https://api.example"}


def without(item: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != name}


async def read(monkeypatch: pytest.MonkeyPatch, **answers: Any) -> Remote:
    """What is read of a server that answers as a test says; by the first part of the path below the app."""
    said = {
        "app": APP,
        "script": SCRIPT,
        "scripts": [SCRIPT],
        "routes": [ROUTE],
        "domains": [DOMAIN],
        "vars": [VARIABLE],
        "settings": SETTINGS,
        **answers,
    }

    async def call(_: Client, _method: str, path: str, *_more: Any, **_parts: str) -> Any:
        last = path.rpartition("/")[2]
        return said["script" if path.startswith("scripts/") else last if last in said else "app"]

    async def items(_: Client, path: str, **_parts: str) -> Any:
        return said[path.rpartition("/")[2]]

    monkeypatch.setattr(Client, "call", call)
    monkeypatch.setattr(Client, "items", items)
    async with connect("http://server.example", "token") as asking:
        return await server.read(asking, "shop")


async def test_an_honest_server_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    remote = await read(monkeypatch, app={**APP, "more": "of a later version"})
    assert (remote.slug, list(remote.scripts), list(remote.domains)) == ("shop", ["a"], ["shop.example"])
    assert remote.variables == {"API_URL": "https://api.example"}


@pytest.mark.parametrize(
    "slug", ["../x", "..", "", "a/b", "a\\b", ".git", "C:x", "x\n[app]", "x\x1b[2J", "X", 5]
)
async def test_an_invalid_slug_names_no_folder(slug: object, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unreachable, match="not a PiCloud server"):
        await read(monkeypatch, app={**APP, "slug": slug})


@pytest.mark.parametrize(
    "answers",
    [
        {"app": without(APP, "name")},
        {"scripts": ["2"]},
        {"scripts": [{"id": ["2"]}]},
        {"routes": [without(ROUTE, "path")]},
        {"routes": [{**ROUTE, "dispatch_mode": 1}]},
        {"domains": [{**DOMAIN, "pattern": None}]},
        {"vars": [{**VARIABLE, "name": "A = 1\n[app]"}]},
        {"vars": [{**VARIABLE, "value": None}]},
        *(
            {"script": {**SCRIPT, name: value}}
            for name, value in (
                *(
                    ("name", ["a"]),
                    ("name", "\ud800"),
                    ("source", None),
                    ("source", "\udc80"),
                    ("version", "1"),
                ),
                *(("sandbox", [1]), ("sandbox", {"max_fuel": '1 }\n[scripts."x"]\nfile = "secret.rhai"\n#'})),
            )
        ),
    ],
    ids=ascii,
)
async def test_an_invalid_app_is_not_written(
    answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Unreachable, match="not a PiCloud server"):
        await read(monkeypatch, **answers)


@asynccontextmanager
async def answering(response: Callable[[], web.Response]) -> AsyncIterator[Client]:
    """A client of a server that always answers the same."""
    application = web.Application()

    async def handler(_: web.Request) -> web.Response:
        return response()

    application.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with connect(f"http://127.0.0.1:{runner.addresses[0][1]}", "token") as one:
            yield one
    finally:
        await runner.cleanup()


async def test_json_nested_too_deeply_is_rejected() -> None:
    async with answering(lambda: web.Response(body=b"[" * 100_000)) as asking:
        with pytest.raises(Unreachable, match="not a PiCloud server"):
            await asking.call("GET", "apps")


async def test_a_response_that_decompresses_too_far_is_aborted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_MAX_RESPONSE", 1024 * 1024)
    bomb = gzip.compress(bytes(50 * 1024 * 1024))
    async with answering(lambda: web.Response(body=bomb, headers={"Content-Encoding": "gzip"})) as asking:
        with pytest.raises(Unreachable, match="1048576"):
            await asking.call("GET", "apps")
