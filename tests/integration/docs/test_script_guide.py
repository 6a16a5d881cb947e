"""Every example of docs/script-guide.md answers what it says, and every one of docs/functions.md is true."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit
from uuid import uuid4

import orjson
import pytest
from uuid_utils.compat import uuid7

from picloud.config import Settings
from picloud.control.scripts.modules import Module
from picloud.core.interface import Interface
from picloud.db.pool import Database
from picloud.execution.admission import Admission
from picloud.execution.cause import HttpCause, ScriptRequest
from picloud.execution.executor import Executor
from picloud.execution.invocation import Invocation, ScriptVersion
from picloud.routing.conflict import RoutePattern
from picloud.routing.hosts import ANY_HOST
from picloud.routing.paths import split_path
from picloud.routing.pattern import parse_path
from picloud.routing.table import RouteTable
from picloud.sandbox.cache import ImageCache
from picloud.sandbox.engine import Engine
from picloud.sandbox.limits import Ceilings
from picloud.sandbox.sandbox import Sandbox
from picloud.sandbox.threads import Threads
from picloud.services.call_context import Call
from picloud.services.docs import service as docs
from picloud.services.files import service as files
from picloud.services.files.folder import FolderStore
from picloud.services.outbound.client import host_functions
from picloud.services.outbound.configured import configured
from picloud.services.writes import Writes
from tests.workbench import NOBODY, in_memory

PAGE = (Path(__file__).parents[3] / "docs" / "script-guide.md").read_text("utf-8")
MODULE = re.compile(r"// Module (\w+)\n")


def examples() -> Iterator[Any]:
    """Source, modules, and the kind and text of what stands below it."""
    modules: list[Module] = []
    source: str | None = None
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        if source is not None:
            yield pytest.param(source, tuple(modules), language, text, id=source.splitlines()[0])
            source = None
        elif language == "rhai" and (named := MODULE.match(text)):
            modules.append(Module(uuid7(), 1, named[1], text.encode()))
        elif language == "rhai":
            source = text
    assert source is None


EXAMPLES = list(examples())
THINGS = next(example.values[0] for example in EXAMPLES if 'docs::collection("things")' in example.values[0])
FUNCTIONS: dict[str, list[str]] = {}
for function in Interface.load().functions:
    FUNCTIONS.setdefault(function.namespace, []).append(function.example)
FILTERS = re.findall(r"^\| `(#\{.*\})` \|([a-d ]*)\| .*\|$", PAGE, re.MULTILINE)

Run: TypeAlias = Callable[..., Awaitable[tuple[int, bytes]]]


@pytest.fixture
async def run(engine: Engine, database: Database, tmp_path: Path) -> AsyncIterator[Run]:
    """Executes a script with all there is, and one host more; returns status and body."""
    await database.execute("INSERT INTO apps (id, slug, name) VALUES ($1, 'nobody', 'Nobody')", NOBODY)
    FolderStore.prepare(tmp_path / "files")
    writes, threads, outbound = Writes(database), Threads(2), configured(Settings())
    kept = files.Files(database, FolderStore(tmp_path / "files"), writes)
    replies: dict[str, Any] = {}

    class Somewhere:
        """The way out, and what an example says that a host answers."""

        async def request(self, call: Call, method: str, url: str, *rest: Any) -> dict[str, object]:
            reply = replies.get(url.partition("?")[0])
            if reply is None:
                return await outbound.request(call, method, url, *rest)
            headers = {"content-type": "application/json"}
            return {"status": 200, "headers": headers, "body": reply, "url": url}

    functions = {
        **in_memory(GREETING="hello"),
        **docs.host_functions(docs.DatabaseDocs(database, writes)),
        **files.host_functions(kept),
        **host_functions(Somewhere()),
    }
    executor = Executor(Admission(4, 4), Sandbox(engine, ImageCache(16, 16), threads, functions), None)

    async def execute(source: str, modules: tuple[Module, ...] = ()) -> tuple[int, bytes]:
        if elsewhere := re.match(r"// (https\S+) returns (.*)\n", source):
            assert urlsplit(elsewhere[1]).scheme == "https"
            replies[elsewhere[1]] = elsewhere[2].encode()
        limits = Ceilings().resolve({})
        version = ScriptVersion(uuid7(), NOBODY, 1, "example", "endpoint", source.encode(), limits, modules)
        outcome = await executor.execute(
            Invocation(uuid7(), version, HttpCause("cli", "test", request_of(source)))
        )
        response = outcome.response
        assert response is not None, outcome.error
        if response.file is None:
            return response.status, response.body
        file = await kept.get(Call(NOBODY, uuid4(), uuid4()), response.file.collection, response.file.id)
        assert file is not None
        data = file["data"]
        assert isinstance(data, bytes)
        return response.status, data

    yield execute
    await kept.close()
    await outbound.close()
    threads.close()


def request_of(source: str) -> ScriptRequest:
    """The request that the first line of an example speaks of."""
    line = source.splitlines()[0]
    if body := re.fullmatch(r"// Request body: (.*)", line):
        return ScriptRequest(body=body[1].encode(), content_type="application/json")
    if form := re.fullmatch(r"// Request form: (.*)", line):
        return ScriptRequest(body=form[1].encode(), content_type="application/x-www-form-urlencoded")
    if header := re.fullmatch(r"// Request header: (\S+): (.*)", line):
        return ScriptRequest(headers={header[1]: header[2]})
    if routed := re.fullmatch(r"// Route: (\S+) (\S+)\. Request path: (\S+)", line):
        method, pattern, path = routed.groups()
        routes = RouteTable()
        routes.put(uuid7(), uuid7(), RoutePattern(method, ANY_HOST, parse_path(pattern)))
        segments = split_path(path)
        match = routes.match(method, "localhost", segments)
        return ScriptRequest(method, "/" + "/".join(segments), params=match.params, rest=match.rest)
    assert not line.startswith("//") or line.startswith("// https://"), line
    return ScriptRequest()


def test_the_page_has_examples_with_results() -> None:
    assert len(EXAMPLES) >= 18
    assert all(example.values[2] in ("json", "answer") for example in EXAMPLES)
    assert len(FILTERS) == PAGE.count("| `#{")


@pytest.mark.parametrize(("source", "modules", "kind", "answer"), EXAMPLES)
async def test_an_example_returns_the_result_of_the_page(
    source: str, modules: tuple[Module, ...], kind: str, answer: str, run: Run
) -> None:
    status, body = await run(source, modules)
    expected_status, expected = ("200", answer) if kind == "json" else answer.split("\n", 1)
    assert (str(status), body.decode()) == (expected_status, expected.rstrip("\n"))


async def test_a_filter_finds_the_documents_of_the_page(run: Run) -> None:
    asked = ", ".join(f"things.find({text}).map(|thing| thing.data.name)" for text, _ in FILTERS)
    _, body = await run(f"{THINGS};\n[{asked}]")
    assert orjson.loads(body) == [names.split() for _, names in FILTERS]


@pytest.mark.parametrize("namespace", FUNCTIONS)
async def test_an_example_of_a_function_is_true(namespace: str, run: Run) -> None:
    """Against the real services; the guest's own tests run them against its native ones."""
    for example in FUNCTIONS[namespace]:
        elsewhere = re.search(r'"(https://[^"?]+)', example)
        source = f"// {elsewhere[1]} returns {{}}\n{example}" if elsewhere else example
        assert await run(source) == (200, b"true"), example
