"""P7: finding the route of a request among 100,000 of its app, and making one more, against among 10."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from types import SimpleNamespace
from uuid import UUID

import psutil
import pytest
from aiohttp import HttpVersion11, web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD
from benches.ratio import take_turns
from multidict import CIMultiDict, CIMultiDictProxy
from pytest_benchmark.fixture import BenchmarkFixture
from uuid_utils.compat import uuid7
from yarl import URL

from picloud.control.routes import RouteDraft, Routes, columns
from picloud.control.routing_cache import RoutingCache
from picloud.core.generations import Generations
from picloud.db.changes import ChangeNotifier
from picloud.db.embedded import EmbeddedPostgres
from picloud.db.migrate import migrate
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.http.edge.peer import peer
from picloud.identity.actor import Actor
from picloud.identity.token_search import holds_token
from picloud.routing.paths import split_path
from picloud.routing.pattern import is_reserved
from picloud.routing.table import RouteTable
from tests.scratch import scratch_folder

FEW, MANY = 10, 100_000
ROUNDS, REQUESTS = 500, 200
SCRIPTS = [uuid7() for _ in range(1000)]
ACTOR = Actor.console("bench.fill")
CONNECTION = SimpleNamespace(
    address="127.0.0.1", proxies=None, ssl_context=None, peername=None, sockname=None
)
HOST = CIMultiDictProxy(CIMultiDict({"Host": "localhost:8080"}))
HEAD = RawRequestMessage("GET", "/", HttpVersion11, HOST, (), False, None, False, False, URL("/"))
Loop = asyncio.AbstractEventLoop

# Patterns and requests by a number, as long in the small table as in the large one; mixed takes turns.
PATHS: dict[str, tuple[Callable[[int], str], Callable[[int], str]]] = {
    "exact": (lambda n: f"/v1/r{n:05}/list", lambda n: f"/v1/r{n:05}/list"),
    "param": (lambda n: f"/v1/r{n:05}/:id", lambda n: f"/v1/r{n:05}/{n * 7:06}"),
    "param last": (lambda n: f"/:tenant/r{n:05}", lambda n: f"/t{n * 7:06}/r{n:05}"),
    "prefix": (lambda n: f"/v1/r{n:05}/*", lambda n: f"/v1/r{n:05}/a/b"),
}
MIXED = tuple(PATHS.values())
PATHS["mixed"] = (lambda n: MIXED[n % 4][0](n), lambda n: MIXED[n % 4][1](n))


def table(kind: str, size: int) -> RouteTable:
    made = RouteTable()
    for n in range(size):
        script = SCRIPTS[n % len(SCRIPTS)]
        made.put(uuid7(), script, RouteDraft(str(script), "GET", PATHS[kind][0](n)).check())
    return made


@dataclass(frozen=True)
class App:
    """An app with so many routes, in a database of its own."""

    id: UUID
    script_id: UUID
    database: Database
    changes: ChangeNotifier

    @classmethod
    async def make(cls, parameters: ConnectionParameters, size: int) -> App:
        await migrate(parameters)
        database = await Database.open(parameters, 2)
        app = cls(uuid7(), uuid7(), database, ChangeNotifier(database, Generations()))
        await database.execute("INSERT INTO apps (id, slug, name) VALUES ($1, 'a', 'A')", app.id)
        await database.execute(
            "INSERT INTO scripts (app_id, id, name, kind, version, source) "
            "VALUES ($1, $2, 's', 'endpoint', 1, '1')",
            app.id,
            app.script_id,
        )
        await database.execute(
            "INSERT INTO domains (app_id, id, pattern, kind) VALUES ($1, $2, 'localhost', 'exact')",
            app.id,
            uuid7(),
        )
        # Without the triggers: this is to be 100,000 routes, not the news of them.
        rows = [
            columns(app.id, uuid7(), app.script_id, app.draft(PATHS["mixed"][0](n)).check())
            for n in range(size)
        ]
        async with database.transaction() as connection:
            await connection.execute("ALTER TABLE routes DISABLE TRIGGER USER")
            await connection.executemany(load("routes").route_insert, rows)
            await connection.execute("ALTER TABLE routes ENABLE TRIGGER USER")
            await connection.execute("UPDATE apps SET route_count = $1", size)
        await database.execute("ANALYZE")
        return app

    def draft(self, path: str) -> RouteDraft:
        return RouteDraft(str(self.script_id), "GET", path)


@pytest.fixture(scope="module")
def apps(loop: Loop) -> Iterator[dict[int, App]]:
    with scratch_folder(0o711) as folder, EmbeddedPostgres(folder, connections=20) as parameters:

        async def make(size: int) -> App:
            outside = await Database.open(parameters, 1)
            await outside.execute(f"CREATE DATABASE routes_{size}")
            await outside.close()
            return await App.make(parameters.of_database(f"routes_{size}"), size)

        made = {size: loop.run_until_complete(make(size)) for size in (FEW, MANY)}
        yield made
        for app in made.values():
            loop.run_until_complete(app.database.close())


@pytest.mark.parametrize("kind", PATHS)
def test_p7_look_up(kind: str, report: Callable[[str, str, str], None], quiet: None) -> None:
    """The table alone: most of what is more is memory that no cache holds."""
    chance = random.Random(7)

    def of(size: int) -> Callable[[], list[float]]:
        routes = table(kind, size)

        def look_up() -> list[float]:
            asked = [split_path(path) for path in requests(kind, size, chance)]
            began = time.perf_counter()
            for segments in asked:
                routes.match("GET", "localhost", segments)
            return [(time.perf_counter() - began) / REQUESTS]

        return look_up

    compare(f"P7 look up, {kind}", of(MANY), of(FEW), report, "shown")


@pytest.mark.parametrize("kind", PATHS)
def test_p7_match(
    kind: str, loop: Loop, apps: dict[int, App], report: Callable[[str, str, str], None], quiet: None
) -> None:
    """All that lies between a request's head and its route, as http/public/routes.py does it."""
    chance = random.Random(7)

    def of(size: int) -> Callable[[], list[float]]:
        app = apps[size]
        directory = RoutingCache(app.database, Generations())
        loaded, _ = loop.run_until_complete(directory.find("localhost")) or pytest.fail("no app")
        directory._apps[app.id] = replace(loaded, routes=table(kind, size))  # noqa: SLF001 - not five databases

        async def match() -> list[float]:
            asked = [
                web.Request(HEAD._replace(path=path), EMPTY_PAYLOAD, CONNECTION, None, None, loop)
                for path in requests(kind, size, chance)
            ]
            began = time.perf_counter()
            for request in asked:
                segments = split_path(request.raw_path.partition("?")[0])
                assert not is_reserved(segments)
                assert not holds_token("/".join(segments))
                found = await directory.find(peer(request).host)
                assert found is not None
                found[0].routes.match(request.method, found[1], segments)
            return [(time.perf_counter() - began) / REQUESTS]

        return lambda: loop.run_until_complete(match())

    compare(f"P7 match, {kind}", of(MANY), of(FEW), report, "<= 1.2x")


def requests(kind: str, size: int, chance: random.Random) -> list[str]:
    """Paths, each route as likely as any other.

    Few, for others have the machine too; and just made, as a request has just come in: a hundred thousand
    that lie ready would take the caches from the routes.
    """
    return [PATHS[kind][1](chance.randrange(size)) for _ in range(REQUESTS)]


def compare(
    what: str,
    many: Callable[[], list[float]],
    few: Callable[[], list[float]],
    report: Callable[[str, str, str], None],
    goal: str,
) -> None:
    ratio = take_turns(many, few, ROUNDS)
    micro = f"{ratio.ours * 1e6:.2f} us : {ratio.baseline * 1e6:.2f} us"
    report(f"{what}: {MANY:,} routes : {FEW}", f"{ratio}  {micro}", goal)


NEW = {
    "exact": "/v1/n{}/list",
    "param": "/v1/n{}/:id",
    # Worst: many routes with the same leading segments, of which no index keeps the new one apart.
    "param last": "/:tenant/n{}",
}


@pytest.mark.parametrize("what", ["check", "make and see"])
@pytest.mark.parametrize("kind", NEW)
def test_p7_write(
    what: str,
    kind: str,
    benchmark: BenchmarkFixture,
    apps: dict[int, App],
    loop: Loop,
    report: Callable[[str, str, str], None],
    quiet: None,
) -> None:
    numbers = count()

    def of(size: int) -> Callable[[], list[float]]:
        app = apps[size]
        generations = Generations()
        changes = ChangeNotifier(app.database, generations)
        routes, directory = Routes(app.database, changes), RoutingCache(app.database, generations)

        async def one() -> float:
            draft = app.draft(NEW[kind].format(f"{what}{next(numbers)}".replace(" ", "")))
            began = time.perf_counter()
            if what == "check":
                await routes.check(app.id, draft)
                return time.perf_counter() - began
            made = await routes.create(app.id, draft, ACTOR)
            await directory.app(app.id)  # what the next request waits for
            seconds = time.perf_counter() - began
            await routes.delete(app.id, str(made.id), ACTOR)
            return seconds

        loop.run_until_complete(directory.app(app.id))
        return lambda: [loop.run_until_complete(one()) for _ in range(20)]

    few, many = of(FEW), of(MANY)
    few()
    many()
    ratio = take_turns(many, few, 5)
    benchmark.extra_info["ratio"] = ratio.value
    benchmark.pedantic(many, rounds=1)
    millis = f"{ratio.ours * 1e3:.2f} ms : {ratio.baseline * 1e3:.2f} ms"
    report(f"P7 {what}, {kind}: {MANY:,} routes : {FEW}", f"{ratio}  {millis}", "-")


def test_p7_read(apps: dict[int, App], loop: Loop, report: Callable[[str, str, str], None]) -> None:
    """What the first request of an app waits for, how long others wait meanwhile, and the memory."""
    app, process = apps[MANY], psutil.Process()

    async def read() -> tuple[float, float, int]:
        directory = RoutingCache(app.database, Generations())
        before, longest = process.memory_info().rss, 0.0
        began = last = time.perf_counter()
        reading = asyncio.create_task(directory.app(app.id))
        while not reading.done():
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
        seconds = time.perf_counter() - began
        return seconds, longest, process.memory_info().rss - before

    seconds, longest, size = loop.run_until_complete(read())
    figure = f"{seconds:.2f} s, others wait {longest * 1e3:.0f} ms at most, {size / MANY:.0f} bytes a route"
    report(f"P7 read {MANY:,} routes into memory", figure, "-")
