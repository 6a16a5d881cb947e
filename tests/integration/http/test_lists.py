"""Promises of every list of the admin API."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from picloud.http.admin.endpoint import Endpoint, ListQuery
from picloud.http.application import ENDPOINTS
from tests.integration.conftest import PASSWORD, Worker
from tests.integration.http.conftest import Client

LISTS = {one.path: one for one in ENDPOINTS if issubclass(one.query, ListQuery)}
Make = Callable[[int], Awaitable[None]]


class Things:
    """Makes what lists show: one more of it at a time.

    Attributes:
        names: what stands for the names in paths.
    """

    def __init__(self, client: Client, worker: Worker) -> None:
        self.names = {"app": "default", "collection": "things"}
        self._client, self._worker = client, worker
        self._script: dict[str, Any] = {}

    async def start(self) -> None:
        self._script = await self._client.script('"x"', name="probe")
        self.names["script"] = self._script["id"]

    async def make(self, path: str, n: int) -> None:
        """Make one more of what the list of this path shows."""
        await getattr(self, MAKERS[path])(n)

    async def post(self, path: str, body: dict[str, Any], status: int = 201) -> dict[str, Any]:
        answer = await self._client.admin("POST", path, body)
        assert answer.status == status, answer.body
        return dict(answer.json)

    async def app(self, n: int) -> None:
        await self.post("/apps", {"slug": f"app-{n}", "name": "x"})

    async def script(self, n: int) -> None:
        await self._client.script('"x"', name=f"s{n}")

    async def route(self, n: int) -> None:
        await self._client.route(self._script, f"/r{n}")

    async def domain(self, n: int) -> None:
        await self.post("/apps/default/domains", {"pattern": f"d{n}.example"})

    async def execution(self, n: int) -> None:
        assert (await self._client.execute(self._script)).status == 200

    async def version(self, n: int) -> None:
        patched = await self._client.admin("PATCH", f"/scripts/{self._script['id']}", {"source": f"{n}"})
        assert patched.status == 200, patched.body

    async def importer(self, n: int) -> None:
        await self._client.script('import "probe" as p;', name=f"i{n}")

    async def user(self, n: int) -> None:
        await self.post("/users", {"username": f"u{n}", "password": PASSWORD})

    async def member(self, n: int) -> None:
        user = await self.post("/users", {"username": f"m{n}", "password": PASSWORD})
        path = f"/apps/default/members/{user['id']}"
        assert (await self._client.admin("PUT", path, {"role": "viewer"})).status == 200

    async def key(self, n: int) -> None:
        await self.post("/api-keys", {"name": f"k{n}", "scopes": ["script:read"]})

    async def session(self, n: int) -> None:
        await self.post("/auth/login", {"username": "ada", "password": PASSWORD}, 200)

    async def entry(self, n: int) -> None:
        await self._put("things", f"k{n:03}")

    async def collection_of_entries(self, n: int) -> None:
        await self._put(f"c{n:03}", "k")

    async def _put(self, collection: str, key: str) -> None:
        path = f"/apps/default/kv/{collection}/{key}"
        assert (await self._client.admin("PUT", path, {"value": 1})).status == 200

    async def variable(self, n: int) -> None:
        path = f"/apps/default/vars/V{n:03}"
        assert (await self._client.admin("PUT", path, {"value": "x"})).status == 200

    async def document(self, n: int) -> None:
        await self.post("/apps/default/docs/things", {"data": {"n": n}})

    async def collection_of_documents(self, n: int) -> None:
        await self.post(f"/apps/default/docs/c{n:03}", {"data": {"n": n}})

    async def file(self, n: int) -> None:
        await self._worker.file("default", "things")

    async def collection_of_files(self, n: int) -> None:
        await self._worker.file("default", f"c{n:03}")

    async def nothing(self, n: int) -> None:
        """There are as many as there are."""


MAKERS = {
    "/api-keys": "key",
    "/apps": "app",
    "/apps/{app}/audit": "script",
    "/apps/{app}/docs": "collection_of_documents",
    "/apps/{app}/docs/{collection}": "document",
    "/apps/{app}/domains": "domain",
    "/apps/{app}/executions": "execution",
    "/apps/{app}/files": "collection_of_files",
    "/apps/{app}/files/{collection}": "file",
    "/apps/{app}/kv": "collection_of_entries",
    "/apps/{app}/kv/{collection}": "entry",
    "/apps/{app}/members": "member",
    "/apps/{app}/routes": "route",
    "/apps/{app}/scripts": "script",
    "/apps/{app}/vars": "variable",
    "/audit": "script",
    "/auth/sessions": "session",
    "/limits": "nothing",
    "/scripts/{script}/imported-by": "importer",
    "/scripts/{script}/logs": "execution",
    "/scripts/{script}/routes": "route",
    "/scripts/{script}/versions": "version",
    "/users": "user",
}
each_list = pytest.mark.parametrize("path", LISTS)


@pytest.fixture
async def things(client: Client, worker: Worker) -> Things:
    things = Things(client, worker)
    await things.start()
    return things


def test_every_list_is_walked_here() -> None:
    assert set(MAKERS) == set(LISTS)


def test_whatever_shows_a_page_is_a_list() -> None:
    def shows_a_page(endpoint: Endpoint) -> bool:
        return "-> Page[" in str(endpoint.handle.__annotations__) or str(
            endpoint.handle.__annotations__["return"]
        ).startswith("Page[")

    assert {one.path for one in ENDPOINTS if shows_a_page(one)} == set(LISTS)


@each_list
async def test_a_walk_shows_everything_once_while_more_is_made(
    client: Client, things: Things, path: str
) -> None:
    for n in range(4):
        await things.make(path, n)
    url = path.format(**things.names)

    async def identities(query: str) -> tuple[list[str], str | None]:
        page = await client.admin("GET", f"{url}?{query}")
        assert page.status == 200, page.body
        assert len(page.json["items"]) <= int(query.partition("limit=")[2].partition("&")[0])
        return [_identity(item) for item in page.json["items"]], page.json["next_cursor"]

    before, end = await identities("limit=200")
    assert end is None
    assert len(before) >= 4
    walked, cursor = await identities("limit=1")
    for n in itertools.count(100):
        if cursor is None:
            break
        if n < 103:
            await things.make(path, n)
        more, cursor = await identities(f"limit=2&cursor={cursor}")
        walked += more
    assert len(walked) == len(set(walked))
    assert [one for one in walked if one in set(before)] == before


@each_list
async def test_a_list_rejects_invalid_parameters(client: Client, things: Things, path: str) -> None:
    url = path.format(**things.names)
    for n in range(3):
        await things.make(path, n)
    for query in (
        *("limit=0", "limit=201", "limit=-1", "limit=x", "limit=1.5", "limit=", "limit=1&limit=2"),
        *("limit=99999999999999999999", "limit=%D9%A1", "limit=1_0", "limit=%201"),
        *("cursor=", "cursor=x", "cursor=%00", "cursor=%ff", f"cursor={'A' * 22}", f"cursor={'A' * 5000}"),
        *("colour=red", "Limit=1"),
    ):
        answer = await client.admin("GET", f"{url}?{query}")
        assert (answer.status, answer.error) == (422, "invalid"), query
    own = (await client.admin("GET", f"{url}?limit=1")).json["next_cursor"]
    assert own is not None
    other = "/apps" if path != "/apps" else "/users"
    answer = await client.admin("GET", f"{other}?cursor={own}")
    assert (answer.status, answer.details["field"]) == (422, "cursor")


def _identity(item: dict[str, Any]) -> str:
    """What tells an item from all others in its list."""
    names = ("id", "execution_id", "user_id", "version", "key", "name")
    return str(next(item[name] for name in names if name in item))
