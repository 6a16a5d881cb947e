"""Every example of docs/script-guide.md answers what the page says it answers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from uuid_utils.compat import uuid7

from picloud.cli.local import executor
from picloud.config import load
from picloud.execution.executor import Executor
from picloud.execution.invocation import Invocation, ScriptRequest, ScriptVersion
from picloud.routing.conflict import RoutePattern
from picloud.routing.hosts import ANY_HOST
from picloud.routing.paths import split_path
from picloud.routing.pattern import parse_path
from picloud.routing.table import RouteTable
from picloud.sandbox.limits import Ceilings
from picloud.services.modules import Module

PAGE = (Path(__file__).parents[3] / "docs" / "script-guide.md").read_text("utf-8")
MODULES = tuple(
    Module(uuid5(NAMESPACE_URL, name), 1, name, source.encode())
    for name, source in re.findall(r"^```rhai module (\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
)
FENCES = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
EXAMPLES = [
    pytest.param(source, kind, answer, id=source.splitlines()[0])
    for (language, source), (kind, answer) in itertools.pairwise(FENCES)
    if language == "rhai"
]


@pytest.fixture(scope="module")
def local() -> Iterator[Executor]:
    with executor(load(environment={}).settings) as made:
        yield made


def test_the_page_has_examples_and_each_says_what_it_answers() -> None:
    assert len(EXAMPLES) >= 8
    assert all(example.values[1] in ("json", "answer") for example in EXAMPLES)


def request_of(source: str) -> ScriptRequest:
    """The request that the first line of an example speaks of."""
    line = source.splitlines()[0]
    if body := re.fullmatch(r"// called with the body (.*)", line):
        return ScriptRequest(body=body[1].encode(), content_type="application/json")
    if header := re.fullmatch(r"// called with the header (\S+): (.*)", line):
        return ScriptRequest(headers={header[1]: header[2]})
    if routed := re.fullmatch(r"// answers (\S+) (\S+), called with (\S+)", line):
        method, pattern, path = routed.groups()
        routes = RouteTable()
        routes.put(uuid7(), uuid7(), RoutePattern(method, ANY_HOST, parse_path(pattern)))
        segments = split_path(path)
        match = routes.match(method, "localhost", segments)
        return ScriptRequest(method, "/" + "/".join(segments), params=match.params, rest=match.rest)
    assert not line.startswith("//"), line
    return ScriptRequest()


@pytest.mark.parametrize(("source", "kind", "answer"), EXAMPLES)
async def test_an_example_answers_what_the_page_says(
    source: str, kind: str, answer: str, local: Executor
) -> None:
    limits = Ceilings().resolve({})
    modules = MODULES if 'import "' in source else ()
    script = ScriptVersion(uuid7(), UUID(int=0), 1, "example", "endpoint", source.encode(), limits, modules)
    outcome = await local.execute(Invocation(uuid7(), script, "cli", "test", request_of(source)))
    assert outcome.response is not None, outcome.error
    status, expected = ("200", answer) if kind == "json" else answer.split("\n", 1)
    assert (str(outcome.response.status), outcome.response.body.decode()) == (status, expected.rstrip("\n"))
