"""Every table of docs/routing.md agrees with the code."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID

import pytest

from picloud.control.domains import MAX_DOMAINS
from picloud.control.routes import MAX_ROUTES
from picloud.core.errors import BadRequest, Invalid, MethodNotAllowed, NotFound
from picloud.routing.conflict import RoutePattern, conflict
from picloud.routing.domains import DomainTable
from picloud.routing.hosts import parse_claim, parse_host
from picloud.routing.paths import split_path
from picloud.routing.pattern import parse_path
from picloud.routing.table import MAX_SHAPES, Match, RouteTable

PAGE = (Path(__file__).parents[3] / "docs" / "routing.md").read_text("utf-8")


def rows(*header: str) -> list[list[str]]:
    """The cells of every table with this header, without their backticks."""
    found = []
    for table in re.findall(
        r"^\| " + re.escape(" | ".join(header)) + r" \|\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.M
    ):
        found += [[cell.strip() for cell in line[1:-1].split("|")] for line in table.splitlines()]
    assert found, header
    return found


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]*)`", cell)


def one(cell: str) -> str:
    return code(cell)[0] if "`" in cell else cell


def route(text: str) -> RoutePattern:
    """`GET host/path`, or `GET /path` for any host."""
    method, _, rest = text.partition(" ")
    host, _, path = rest.partition("/")
    return RoutePattern(
        None if method == "ANY" else method, parse_host(host or "any"), parse_path("/" + path)
    )


def match(routes: list[str], method: str, host: str, path: str) -> Match:
    table = RouteTable()
    for number, text in enumerate(routes):
        table.put(UUID(int=number), UUID(int=0), route(text))
    return table.match(method, host, split_path(path))


def answered_by(routes: list[str], method: str, host: str, path: str) -> str:
    try:
        return routes[match(routes, method, host, path).route.id.int]
    except MethodNotAllowed:
        return "405"
    except NotFound:
        return "404"
    except BadRequest:
        return "400"


def test_a_host_goes_to_the_app_that_the_page_says() -> None:
    claims = [(one(claim), app) for claim, app in rows("claim", "app")]
    ids = {app: UUID(int=number) for number, (_, app) in enumerate(claims)}
    table = DomainTable((parse_claim(claim), ids[app]) for claim, app in claims)
    for host, app in rows("host of a request", "app"):
        found = table.find(one(host))
        assert (found and found[0]) == ids.get(app), host


@pytest.mark.parametrize(
    ("path", "kind", "answers", "others"), rows("path", "kind", "answers", "does not answer")
)
def test_a_path_matches_as_the_page_says(path: str, kind: str, answers: str, others: str) -> None:
    pattern = [f"GET {one(path)}"]
    assert parse_path(one(path)).kind == kind
    assert {answered_by(pattern, "GET", "h.t", asked) for asked in code(answers)} == set(pattern)
    assert {answered_by(pattern, "GET", "h.t", asked) for asked in code(others)} <= {"404"}


@pytest.mark.parametrize(("path", "reason"), rows("path", "reason"))
def test_a_path_is_rejected_as_the_page_says(path: str, reason: str) -> None:
    with pytest.raises(Invalid, match=re.escape(reason)):
        parse_path(one(path))


@pytest.mark.parametrize(
    ("path", "request_path", "params", "rest"), rows("route", "request", "params", "rest")
)
def test_a_script_sees_what_the_page_says(path: str, request_path: str, params: str, rest: str) -> None:
    found = match([f"GET {one(path)}"], "GET", "h.t", one(request_path))
    named = code(params)
    assert found.params == dict(zip(named[::2], named[1::2], strict=True))
    assert found.rest == "".join(code(rest))


@pytest.mark.parametrize(("routes", "asked", "answer"), rows("routes", "request", "answered by"))
def test_the_route_is_the_one_of_the_page(routes: str, asked: str, answer: str) -> None:
    method, _, rest = one(asked).partition(" ")
    host, _, path = rest.partition("/")
    for order in (code(routes), code(routes)[::-1]):
        assert answered_by(order, method, host or "h.t", "/" + path) == one(answer)


@pytest.mark.parametrize(("first", "second", "expected"), rows("one", "other", "conflict"))
def test_routes_conflict_where_the_page_says(first: str, second: str, expected: str) -> None:
    assert conflict(route(one(first)), route(one(second))) is (expected == "yes")


@pytest.mark.parametrize(("path", "asked", "expected"), rows("route", "request", "answers"))
def test_encoded_paths_are_read_as_the_page_says(path: str, asked: str, expected: str) -> None:
    pattern = f"GET {one(path)}"
    answers = {"yes": pattern, "no": "404"}.get(expected, expected)
    assert answered_by([pattern], "GET", "h.t", one(asked)) == answers


def test_the_limits_of_the_page_are_those_of_the_code() -> None:
    text = " ".join(PAGE.split())
    assert f"no more than {MAX_SHAPES} different combinations" in text
    assert f"at most {MAX_ROUTES:,} routes" in text
    assert f"at most {MAX_DOMAINS:,} claims" in text
