"""A real server on a real socket, and a client that is logged in as its owner."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from picloud.cli.remote.event_stream import EventReader, ServerEvent
from picloud.control.seed import seed
from picloud.http.application import build_application
from picloud.http.edge.connection import Rules, connections
from picloud.http.edge.event_stream import CONTENT_TYPE
from picloud.http.open_streams import STREAMS, OpenStreams, StreamRules
from tests.acceptance.running import PATIENCE
from tests.integration.conftest import Worker
from tests.integration.http.described import Description

OWNER = "ada"
ADMIN = "/api/v1/admin"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that was read.

    Attributes:
        status: HTTP status.
        headers: its headers.
        body: the bytes.
        json: the decoded body where it is JSON.
    """

    status: int
    headers: Any
    body: bytes
    json: Any

    @property
    def error(self) -> str:
        """The error's code."""
        return str(self.json["error"]["code"])

    @property
    def details(self) -> dict[str, Any]:
        """The error's details."""
        return dict(self.json["error"]["details"])


class Client:
    """Talks to the server, and checks every answer of PiCloud's own against the API's description.

    Attributes:
        port: of the server.
        streams: that are open on the server.
        token: sent as bearer where a call does not say otherwise.
    """

    def __init__(self, session: aiohttp.ClientSession, port: int, streams: OpenStreams) -> None:
        self._session = session
        self.port, self.streams = port, streams
        self.token: str | None = None

    async def __call__(
        self,
        method: str,
        path: str,
        *,
        host: str = "localhost",
        headers: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> Answer:
        """Send one request; `path` goes out as it is."""
        sent = {"Host": host, **(headers or {})}
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if path.startswith(ADMIN) and "data" in kwargs:
            sent.setdefault("Content-Type", "application/json")
        url = URL(f"http://127.0.0.1:{self.port}{path}", encoded=True)
        async with self._session.request(
            method, url, headers=sent, allow_redirects=False, **kwargs
        ) as response:
            is_stream = response.content_type == CONTENT_TYPE and method != "HEAD"
            body = await (response.content.readany() if is_stream else response.read())
            is_json = response.content_type == "application/json" and body
            decoded = await response.json() if is_json else None
            Description.load().check(method, path, response.status, response.headers, decoded)
            return Answer(response.status, response.headers, body, decoded)

    @contextlib.asynccontextmanager
    async def follow(
        self, path: str, last_event_id: str | None = None, timeout: float = PATIENCE
    ) -> AsyncIterator[AsyncIterator[ServerEvent]]:
        """Open a stream of the admin API; its events are checked against the description."""
        headers = {"Host": "localhost", "Authorization": f"Bearer {self.token}"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        url = URL(f"http://127.0.0.1:{self.port}{ADMIN}{path}", encoded=True)
        async with asyncio.timeout(timeout), self._session.get(url, headers=headers) as response:
            Description.load().check("GET", ADMIN + path, response.status, response.headers, None)
            assert (response.status, response.content_type) == (200, CONTENT_TYPE)
            yield _events(response, ADMIN + path)

    async def admin(self, method: str, path: str, body: object = None, **kwargs: Any) -> Answer:
        """Call the admin API."""
        if body is not None:
            kwargs["data"] = io.BytesIO(json.dumps(body).encode())
        return await self(method, ADMIN + path, **kwargs)

    async def script(
        self, source: str, name: str = "script", app: str = "default", **fields: Any
    ) -> dict[str, Any]:
        """Make a script that everyone can execute by its id, unless the fields say otherwise."""
        draft = {"name": name, "source": source, "execute_access": "open", **fields}
        answer = await self.admin("POST", f"/apps/{app}/scripts", draft)
        assert answer.status == 201, answer.body
        return dict(answer.json)

    async def route(self, script: dict[str, Any], path: str, method: str | None = "GET") -> dict[str, Any]:
        """Make a route in the default app."""
        body = {"script_id": script["id"], "method": method, "path": path}
        answer = await self.admin("POST", "/apps/default/routes", body)
        assert answer.status == 201, answer.body
        return dict(answer.json)

    async def execute(self, script: dict[str, Any], **kwargs: Any) -> Answer:
        """Execute a script by id."""
        return await self("POST", f"/api/v1/execute/{script['id']}", **kwargs)

    async def raw(self, request: bytes, *, whole: bool = False) -> bytes:
        """Send bytes as they are and read the first answer's head, or the whole of it, by its length."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            async with asyncio.timeout(60):
                head = await reader.readuntil(b"\r\n\r\n")
                if not whole:
                    return head
                (length,) = re.findall(rb"\r\ncontent-length: (\d+)\r\n", head.lower())
                return head + await reader.readexactly(int(length))
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def _events(response: aiohttp.ClientResponse, path: str) -> AsyncIterator[ServerEvent]:
    reader = EventReader(1024 * 1024)
    async for piece in response.content.iter_any():
        for event in reader.feed(piece):
            if event.type == "message" and event.data is not None:
                Description.load().check_event(path, json.loads(event.data))
            yield event


async def until(true: Callable[[], bool]) -> None:
    """Let the loop run until something is true; the caller sets the time limit."""
    while not true():  # noqa: ASYNC110  # what is awaited is another's counter, not an event
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def serving(
    worker: Worker, port: int = 0, streams: StreamRules | None = None, **rules: Any
) -> AsyncIterator[Client]:
    """Serve a worker, on a free port unless one is given, its streams and connections under these rules."""
    application = build_application(worker.platform, streams)
    runner = web.AppRunner(application, handler_cancellation=True)
    await runner.setup()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        connections(runner, Rules(**rules), worker.metrics), "127.0.0.1", port
    )
    port = listening.sockets[0].getsockname()[1]
    async with aiohttp.ClientSession(auto_decompress=True) as session:
        yield Client(session, port, application[STREAMS])
    listening.close()
    await runner.cleanup()


@pytest.fixture
async def anyone(worker: Worker) -> AsyncIterator[Client]:
    """A client of a freshly seeded instance without any user."""
    await seed(worker.changes)
    async with serving(worker) as client:
        yield client


@pytest.fixture
async def client(anyone: Client, worker: Worker) -> Client:
    """A client that is logged in as the owner."""
    anyone.token = await worker.session_of(await worker.person(OWNER, "owner"))
    return anyone
