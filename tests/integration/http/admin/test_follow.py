"""Promises of event streams, over real sockets, by the one that follows executions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from picloud.cli.remote.event_stream import ServerEvent
from picloud.http.admin.stream_endpoint import RETRY_MILLISECONDS
from picloud.http.edge.responses import SECURITY_HEADERS
from picloud.http.open_streams import StreamRules
from tests.acceptance.running import PATIENCE
from tests.integration.conftest import CONSOLE, Worker
from tests.integration.http.conftest import ADMIN, Client, serving

FOLLOW = "/apps/default/executions:follow"
MUCH = 'let s = "x"; while s.len < 40000 { s += s; } s'


async def message(events: AsyncIterator[ServerEvent]) -> tuple[str, Any]:
    """The next event with data: its id, and the data."""
    async for event in events:
        if event.data is not None:
            assert event.type == "message", event.data
            return event.id, json.loads(event.data)
    raise AssertionError


async def end(events: AsyncIterator[ServerEvent]) -> str:
    """Read to the end; the code in the last event."""
    last = [event async for event in events][-1]
    assert last.type == "closing"
    assert last.data is not None
    return str(json.loads(last.data)["code"])


async def eventually(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110  # it is of the other side of a socket
            await asyncio.sleep(0.01)


async def test_an_event_is_the_execution_as_the_list_has_it(client: Client) -> None:
    script, other = await client.script('print("hi"); 1'), await client.script("2", name="other")
    path = f"/scripts/{script['id']}/logs"
    async with client.follow(FOLLOW) as of_app, client.follow(f"{path}:follow") as of_script:
        (await anext(of_app)), (await anext(of_script))
        await client.execute(other)
        await client.execute(script)
        first, second, again = await message(of_app), await message(of_app), await message(of_script)
    listed = (await client.admin("GET", "/apps/default/executions")).json["items"]
    assert [second[1], first[1]] == listed
    assert again == second
    assert (await client.admin("GET", path)).json["items"] == [again[1]]


async def test_a_stream_has_the_headers_of_every_response_before_its_first_event(client: Client) -> None:
    head = (await client.raw(_request(client.token, "X-Request-Id: mine\r\n"))).decode()
    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
    assert head.startswith("HTTP/1.1 200 ")
    expected = SECURITY_HEADERS | {
        "Content-Type": "text/event-stream",
        "X-Request-Id": "mine",
        "Server": "PiCloud",
    }
    assert expected.items() <= headers.items()
    assert (headers["X-Accel-Buffering"], headers["Connection"]) == ("no", "close")
    answer = await client("HEAD", ADMIN + FOLLOW)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")
    await eventually(lambda: len(client.streams) == 0)


async def test_the_first_thing_a_client_learns_is_where_it_is(client: Client) -> None:
    await client.execute(await client.script("1"))
    body = (await client.admin("GET", FOLLOW)).body
    retry = body.partition(b"\n\n")[0]
    assert RETRY_MILLISECONDS[0] <= int(retry.removeprefix(b"retry: ")) <= RETRY_MILLISECONDS[1]
    async with client.follow(FOLLOW) as events:
        assert await anext(events) == ServerEvent("1", "message", None)


async def test_a_reconnecting_client_continues_after_its_last_event(client: Client) -> None:
    script = await client.script("1")
    async with client.follow(FOLLOW) as events:
        await anext(events)
        await client.execute(script)
        last, _ = await message(events)
    made = [(await client.execute(script)).headers["X-Execution-Id"] for _ in range(3)]
    async with client.follow(FOLLOW, last) as events:
        assert [(await message(events))[1]["execution_id"] for _ in made] == made


async def test_a_stream_is_filtered_as_the_list_is(client: Client) -> None:
    good, bad = await client.script("1"), await client.script('throw "x"', name="bad")
    for query in ("?outcome=script_error", f"?script_id={bad['id']}"):
        async with client.follow(FOLLOW + query) as events:
            await anext(events)
            await client.execute(good)
            await client.execute(bad)
            assert (await message(events))[1]["script_id"] == bad["id"]


@pytest.mark.parametrize(
    ("query", "headers", "field"),
    [
        ("?outcome=odd", {}, "outcome"),
        ("?script_id=x", {}, "script_id"),
        ("?limit=1", {}, "limit"),
        ("", {"Last-Event-ID": "x"}, "Last-Event-ID"),
    ],
)
async def test_an_invalid_follow_is_an_error_without_a_stream(
    client: Client, query: str, headers: dict[str, str], field: str
) -> None:
    answer = await client("GET", ADMIN + FOLLOW + query, headers=headers)
    assert (answer.status, answer.error, answer.details["field"]) == (422, "invalid", field)
    assert len(client.streams) == 0


async def test_streams_above_the_limit_are_rejected(client: Client, worker: Worker) -> None:
    for slug in ("two", "three"):
        await worker.app(slug)
    async with serving(worker, streams=StreamRules(streams=2, streams_per_app=1)) as few:
        few.token = client.token
        async with AsyncExitStack() as open_:
            for slug in ("default", "two"):
                events = await open_.enter_async_context(few.follow(f"/apps/{slug}/executions:follow"))
                await anext(events)
            of_app = await few.admin("GET", FOLLOW)
            assert (of_app.status, of_app.error, of_app.details) == (429, "too_many_streams", {"limit": 1})
            of_all = await few.admin("GET", "/apps/three/executions:follow")
            assert (of_all.status, of_all.error) == (503, "overloaded")
            assert {"Retry-After"} <= of_app.headers.keys() & of_all.headers.keys()
        await eventually(lambda: len(few.streams) == 0)
        async with few.follow(FOLLOW) as events:
            await anext(events)


async def test_a_quiet_stream_has_a_heartbeat(client: Client, worker: Worker) -> None:
    async with serving(worker, streams=StreamRules(heartbeat_seconds=0.01)) as lively:
        reader, writer = await asyncio.open_connection("127.0.0.1", lively.port)
        writer.write(_request(client.token))
        async with asyncio.timeout(PATIENCE):
            for _ in range(3):
                await reader.readuntil(b"\n:\n\n")
        writer.close()


def _request(token: str | None, headers: str = "") -> bytes:
    head = f"GET {ADMIN}{FOLLOW} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
    return f"{head}{headers}\r\n".encode()


async def test_a_disconnected_client_leaves_no_stream(client: Client, worker: Worker) -> None:
    for _ in range(3):
        _, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(_request(client.token))
        await eventually(lambda: len(client.streams) == 1 and bool(worker.platform.execution_feed._tails))
        writer.transport.abort()
        await eventually(lambda: len(client.streams) == 0 and not worker.platform.execution_feed._tails)


async def test_a_client_that_does_not_read_is_cut_off_and_others_are_not(
    client: Client, worker: Worker
) -> None:
    script = await client.script(MUCH)
    async with serving(worker, send_seconds=0.5) as strict:
        strict.token = client.token
        _, writer = await asyncio.open_connection("127.0.0.1", strict.port, limit=1024)
        writer.write(_request(client.token))
        await eventually(lambda: len(strict.streams) == 1)
        async with strict.follow(FOLLOW) as events:
            await anext(events)
            made = 0
            while len(strict.streams) == 2:
                await strict.execute(script)
                await message(events)
                made += 1
                assert made < 2000
            await strict.execute(script)
            await message(events)
        writer.close()


async def test_a_stop_ends_streams_at_once_and_does_not_wait_for_them(client: Client, worker: Worker) -> None:
    async with client.follow(FOLLOW) as events, client.follow(FOLLOW) as others:
        (await anext(events)), (await anext(others))
        client.streams.close()
        assert {await end(events), await end(others)} == {"not_ready"}
    await eventually(lambda: len(client.streams) == 0)
    refused = await client.admin("GET", FOLLOW)
    assert (refused.status, refused.error) == (503, "not_ready")


async def _revoke_key(worker: Worker, token: str) -> None:
    caller = await worker.platform.principals.of_token(token)
    assert caller is not None
    assert caller.key is not None
    await worker.platform.keys.delete(caller.key.id, caller, CONSOLE)


async def _end_session(worker: Worker, token: str) -> None:
    caller = await worker.platform.principals.of_token(token)
    assert caller is not None
    assert caller.session_id is not None
    await worker.platform.sessions.end(caller.user_id, caller.session_id, CONSOLE)


async def _remove_member(worker: Worker, token: str) -> None:
    app = await worker.platform.apps.get("default")
    await worker.platform.members.remove(app.id, "vera", CONSOLE)


async def _deactivate(worker: Worker, token: str) -> None:
    await worker.platform.accounts.update("vera", {"is_active": False}, CONSOLE)


@pytest.mark.parametrize(
    ("by_key", "revoke", "code"),
    [
        (True, _revoke_key, "unauthenticated"),
        (False, _end_session, "unauthenticated"),
        (True, _deactivate, "unauthenticated"),
        (True, _remove_member, "forbidden"),
        (False, _remove_member, "forbidden"),
    ],
)
async def test_a_stream_ends_when_its_caller_loses_access_and_shows_nothing_from_then_on(
    client: Client,
    worker: Worker,
    by_key: bool,
    revoke: Callable[[Worker, str], Awaitable[None]],
    code: str,
) -> None:
    script = await client.script("1")
    app = await worker.platform.apps.get("default")
    vera = await worker.person("vera", "member", app.id)
    owner = client.token
    client.token = await (worker.key_of(vera, ["log:read"]) if by_key else worker.session_of(vera))
    async with client.follow(FOLLOW) as events:
        await anext(events)
        await revoke(worker, client.token)
        client.token = owner
        await client.execute(script)
        assert await end(events) == code


async def test_the_stream_of_an_app_that_is_deleted_ends(client: Client) -> None:
    assert (await client.admin("POST", "/apps", {"slug": "shop", "name": "Shop"})).status == 201
    async with client.follow("/apps/shop/executions:follow") as events:
        await anext(events)
        assert (await client.admin("DELETE", "/apps/shop?force=true")).status == 204
        assert await end(events) == "not_found"


async def test_an_error_in_a_stream_ends_it_without_details(
    client: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    async with client.follow(FOLLOW) as events:
        await anext(events)
        monkeypatch.setattr(worker.platform.execution_feed, "_read", fail)
        await client.execute(await client.script("1"))
        (event,) = [event async for event in events]
    assert (event.type, json.loads(event.data or "")["code"]) == ("closing", "internal")
    assert "secret" not in (event.data or "")
    assert "a stream failed" in caplog.text
