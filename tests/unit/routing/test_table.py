"""Promises of routing/table.py."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picloud.core.errors import MethodNotAllowed, NotFound
from picloud.routing.conflict import RoutePattern, conflict
from picloud.routing.hosts import ANY_HOST, parse_host
from picloud.routing.paths import Segments, split_path
from picloud.routing.pattern import MAX_SEGMENTS, Parameter, PathPattern, parse_path
from picloud.routing.table import MAX_SHAPES, Found, RouteTable
from tests.unit.routing.patterns import (
    SCRIPT,
    host_rank,
    method_rank,
    path_rank,
    requests,
    route_patterns,
    table_of,
)


def table(*routes: str) -> RouteTable:
    """Routes written as `METHOD path` or `METHOD host path`; their place is their id."""
    made = {}
    for at, text in enumerate(routes):
        method, *host, path = text.split(" ")
        on = parse_host(*(host or ["any"]))
        made[at] = RoutePattern(None if method == "*" else method, on, parse_path(path))
    return table_of(made)


def answer(
    routes: tuple[str, ...], method: str, path: str, host: str = "h.t"
) -> tuple[str, dict[str, str], str]:
    """The route that answers, as it was written, and what it binds."""
    match = table(*routes).match(method, host, split_path(path))
    return routes[match.route.id.int], match.params, match.rest


Answer = tuple[int, dict[str, str], str] | frozenset[str] | None
"""The number of the route, params and rest; or what is allowed; or nothing."""


def naive(routes: Mapping[int, RoutePattern], method: str, host: str, segments: Segments) -> Answer:
    """The specification, word by word: every route is looked at."""
    there: dict[tuple[int, int], list[tuple[tuple[int, ...], int]]] = {}
    for number, route in routes.items():
        on, rank = host_rank(route.host, host), path_rank(route.path, segments)
        if on is not None and rank is not None:
            there.setdefault(on, []).append((rank, number))
    if not there:
        return None
    bucket = there[min(there)]
    fitting = [
        ((*rank, own), number)
        for rank, number in bucket
        if (own := method_rank(routes[number].method, method)) is not None
    ]
    if not fitting:
        methods = {str(routes[number].method) for _, number in bucket}
        return frozenset(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set()))
    _, number = min(fitting)
    path, on_host = routes[number].path, routes[number].host
    params = {
        one.name: segment
        for one, segment in zip(path.segments, segments, strict=False)
        if isinstance(one, Parameter)
    }
    if on_host.parameter:
        params[on_host.parameter] = host.removesuffix("." + on_host.name)
    return number, params, "/".join(segments[len(path.segments) :]) if path.prefix else ""


def found(routes: RouteTable, method: str, host: str, segments: Segments) -> Answer:
    try:
        match = routes.match(method, host, segments)
    except MethodNotAllowed as error:
        return frozenset(error.headers["Allow"].split(", "))
    except NotFound:
        return None
    assert match.route.script_id == SCRIPT
    return match.route.id.int, match.params, match.rest


def without_conflicts(patterns: list[RoutePattern]) -> dict[int, RoutePattern]:
    accepted: dict[int, RoutePattern] = {}
    for number, pattern in enumerate(patterns):
        if not any(conflict(pattern, other) for other in accepted.values()):
            accepted[number] = pattern
    return accepted


@settings(max_examples=300)
@given(st.lists(route_patterns, max_size=12), st.lists(requests, min_size=1, max_size=12), st.data())
def test_a_match_equals_a_search_over_every_route(
    patterns: list[RoutePattern], asked: list[tuple[str, str, Segments]], data: st.DataObject
) -> None:
    routes = without_conflicts(patterns)
    made = table_of(dict(data.draw(st.permutations(list(routes.items())))))
    for method, host, segments in asked:
        # As a client may send it: every character percent-encoded, or none.
        raw = "/" + "/".join(
            "".join(f"%{ord(letter):02x}" for letter in one) if data.draw(st.booleans()) else quote(one)
            for one in segments
        )
        assert found(made, method, host, split_path(raw)) == naive(routes, method, host, segments)


@settings(max_examples=200)
@given(st.lists(route_patterns, max_size=12), st.sets(st.integers(0, 11)), requests)
def test_an_updated_table_equals_a_rebuilt_one(
    patterns: list[RoutePattern], gone: set[int], asked: tuple[str, str, Segments]
) -> None:
    routes = without_conflicts(patterns)
    made = table_of(routes)
    found(made, *asked)
    for number, pattern in routes.items():
        if number in gone:
            made.drop(UUID(int=number))
        else:
            made.put(UUID(int=number), SCRIPT, pattern)  # in place of itself
    left = {number: pattern for number, pattern in routes.items() if number not in gone}
    assert len(made) == len(left)
    assert found(made, *asked) == naive(left, *asked)


# A shape as a number: the binary digits after the first one say which segments are parameters.
shapes = st.integers(2 ** (MAX_SEGMENTS - 2), 2 ** (MAX_SEGMENTS + 1) - 1)


@settings(max_examples=30)
@given(st.sets(shapes, min_size=MAX_SHAPES, max_size=MAX_SHAPES))
def test_no_routes_make_a_match_look_up_more_than_once_for_each_shape(numbers: set[int]) -> None:
    """What a tenant may do at worst: every shape that is allowed, all of them fitting one long path."""
    patterns = [
        PathPattern(
            tuple(Parameter(f"p{at}") if digit == "1" else "a" for at, digit in enumerate(f"{number:b}"[1:])),
            prefix=True,
        )
        for number in numbers
    ]
    routes = table_of({at: RoutePattern("POST", ANY_HOST, pattern) for at, pattern in enumerate(patterns)})
    assert len(routes._any.shapes) == MAX_SHAPES
    looked = 0

    class Counting(dict[str, Found]):
        def get(self, key: str, default: object = None) -> Found | None:  # type: ignore[override]
            nonlocal looked
            looked += 1
            return super().get(key)

    for one in routes._any.shapes.values():
        one.routes = Counting(one.routes)
    with pytest.raises(MethodNotAllowed):  # each of them has the path, so none ends the search
        routes.match("GET", "h.t", ("a",) * (MAX_SEGMENTS + 1))
    assert looked == MAX_SHAPES


def test_a_table_keeps_no_shape_without_routes() -> None:
    routes = table("GET /a", "POST /a", "GET /b/c", "GET /:x", "GET /x/*")
    for number in range(5):
        routes.drop(UUID(int=number))
    assert (routes._any._exact, routes._any.shapes) == ({}, {})


def test_a_route_with_the_method_beats_one_for_any() -> None:
    assert answer(("* /a", "POST /a"), "POST", "/a")[0] == "POST /a"
    assert answer(("* /a", "POST /a"), "PUT", "/a")[0] == "* /a"


def test_head_matches_its_own_route_then_get_then_any() -> None:
    assert answer(("GET /a", "HEAD /a", "* /a"), "HEAD", "/a")[0] == "HEAD /a"
    assert answer(("GET /a", "* /a"), "HEAD", "/a")[0] == "GET /a"
    assert answer(("* /a",), "HEAD", "/a")[0] == "* /a"


def test_a_path_with_other_methods_only_names_them() -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        table("GET /a", "POST /:x", "PUT /*", "PATCH /b").match("DELETE", "h.t", ("a",))
    assert caught.value.headers["Allow"] == "GET, HEAD, OPTIONS, POST, PUT"


@pytest.mark.parametrize("path", ["/b", "/a/", "/", "/A", "/a/b"])
def test_an_exact_path_matches_nothing_but_itself(path: str) -> None:
    with pytest.raises(NotFound):
        answer(("GET /a",), "GET", path)


def test_an_encoded_slash_is_another_path_than_a_slash() -> None:
    routes = ("GET /a%2Fb", "GET /a/b", "GET /x/:one")
    assert answer(routes, "GET", "/a%2fb")[0] == "GET /a%2Fb"
    assert answer(routes, "GET", "/a/b")[0] == "GET /a/b"
    assert answer(routes, "GET", "/x/1%2F2") == ("GET /x/:one", {"one": "1/2"}, "")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/greet/x", "x"),
        ("/greet/x/y", "x/y"),
        ("/greet/", ""),
        ("/greet//x/", "/x/"),
        ("/greet/caf%C3%A9", "café"),
    ],
)
def test_a_prefix_matches_everything_that_begins_with_it_and_a_slash(path: str, expected: str) -> None:
    assert answer(("GET /greet/*",), "GET", path) == ("GET /greet/*", {}, expected)


@pytest.mark.parametrize("path", ["/greet", "/greeting/x", "/", "/x/greet/y"])
def test_a_prefix_does_not_match_its_base(path: str) -> None:
    with pytest.raises(NotFound):
        answer(("GET /greet/*",), "GET", path)


def test_a_parameter_is_one_whole_segment_that_is_not_empty() -> None:
    routes = ("GET /users/:id", "GET /users/:id/posts/:post")
    assert answer(routes, "GET", "/users/7") == ("GET /users/:id", {"id": "7"}, "")
    assert answer(routes, "GET", "/users/7/posts/x")[1] == {"id": "7", "post": "x"}
    for path in ("/users/", "/users", "/users//posts/x", "/users/7/posts", "/users/7/"):
        with pytest.raises(NotFound):
            answer(routes, "GET", path)


@pytest.mark.parametrize(
    ("routes", "path", "expected"),
    [
        (("GET /a/b", "GET /a/:x", "GET /a/*"), "/a/b", "/a/b"),
        (("GET /a/:x", "GET /a/*"), "/a/b", "/a/:x"),
        (("GET /:x/b", "GET /a/:y"), "/a/b", "/a/:y"),
        (("GET /:x/:y", "GET /a/*"), "/a/b", "/a/*"),
        (("GET /a/*", "GET /a/b/*"), "/a/b/c", "/a/b/*"),
        (("GET /:x/*", "GET /:x/b/*"), "/a/b/c", "/:x/b/*"),
        (("GET /*",), "/", "/*"),
        (("GET /*", "GET /"), "/", "/"),
        (("POST /a/b", "GET /a/:x"), "/a/b", "/a/:x"),
        (("* /a/b", "GET /a/:x"), "/a/b", "/a/b"),
        (("GET /a/:x/c", "* /a/:x/:y"), "/a/b/c", "/a/:x/c"),
        (("* /a/:x/c", "GET /a/:x/:y"), "/a/b/c", "/a/:x/:y"),
    ],
)
def test_the_more_specific_path_matches(routes: tuple[str, ...], path: str, expected: str) -> None:
    assert answer(routes, "GET", path)[0].split()[1] == expected


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        ("api.x.t", "/a", "/:strict"),
        ("api.x.t", "/a/b", "/a/:long"),
        ("api.x.t", "/a/b/c", "/a/b/c"),
        ("v.api.x.t", "/a", "/:longer"),
        ("w.x.t", "/a", "/:long"),
        ("other", "/a", "/a"),
        ("x.t", "/a", "/a"),
    ],
)
def test_the_more_specific_host_matches_if_one_of_its_paths_does(host: str, path: str, expected: str) -> None:
    routes = (
        "GET api.x.t /:strict",
        "GET *.api.x.t /:longer",
        "GET *.x.t /:long",
        "GET *.x.t /a/:long",
        "GET any /a",
        "GET any /a/b",
        "GET any /a/b/c",
    )
    assert answer(routes, "GET", path, host)[0].split()[2] == expected


def test_a_host_whose_path_matches_with_other_methods_only_keeps_the_request() -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        answer(("POST x.t /a", "GET any /a"), "GET", "/a", "x.t")
    assert caught.value.headers["Allow"] == "OPTIONS, POST"


def test_a_host_parameter_binds_the_labels_to_the_left() -> None:
    routes = ("GET :tenant.x.t /:page", "PUT :other.x.t /:page")
    assert answer(routes, "GET", "/a", "one.x.t")[1] == {"tenant": "one", "page": "a"}
    assert answer(routes, "GET", "/a", "two.one.x.t")[1] == {"tenant": "two.one", "page": "a"}
