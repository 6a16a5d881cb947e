"""Promises of routing/table.py."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picloud.errors import MethodNotAllowed, NotFound
from picloud.routing.conflict import RoutePattern, conflict
from picloud.routing.hosts import ANY_HOST, parse_host
from picloud.routing.paths import Segments, split_path
from picloud.routing.pattern import MAX_SEGMENTS, Parameter, PathPattern, parse_path
from picloud.routing.table import MAX_SHAPES, Match, RouteEntry, RouteTable
from tests.unit.routing.patterns import (
    entry,
    host_rank,
    method_rank,
    path_rank,
    requests,
    route_patterns,
)


def table(*routes: str) -> RouteTable:
    """Routes written as `METHOD path` or `METHOD host path`."""
    made = []
    for at, text in enumerate(routes):
        method, *host, path = text.split(" ")
        made.append(
            entry(
                at,
                RoutePattern(
                    None if method == "*" else method, parse_host(*(host or ["any"])), parse_path(path)
                ),
            )
        )
    return RouteTable(made)


def answer(routes: RouteTable, method: str, path: str, host: str = "h.t") -> tuple[str, dict[str, str], str]:
    """The path of the route that answers, and what it binds."""
    match = routes.match(method, host, split_path(path))
    return str(match.route.pattern.path), match.params, match.rest


def naive(
    routes: list[RouteEntry], method: str, host: str, segments: Segments
) -> Match | frozenset[str] | None:
    """The specification, word by word: every route is looked at."""
    there: dict[tuple[int, int], list[tuple[tuple[int, ...], RouteEntry]]] = {}
    for route in routes:
        on = host_rank(route.pattern.host, host)
        rank = path_rank(route.pattern.path, segments)
        if on is not None and rank is not None:
            there.setdefault(on, []).append((rank, route))
    if not there:
        return None
    bucket = there[min(there)]
    fitting = [
        ((*rank, own), route)
        for rank, route in bucket
        if (own := method_rank(route.pattern.method, method)) is not None
    ]
    if not fitting:
        methods = {str(route.pattern.method) for _, route in bucket}
        return frozenset(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set()))
    _, route = min(fitting, key=lambda one: one[0])
    path, on_host = route.pattern.path, route.pattern.host
    params = {
        one.name: segment
        for one, segment in zip(path.segments, segments, strict=False)
        if isinstance(one, Parameter)
    }
    if on_host.parameter:
        params[on_host.parameter] = host.removesuffix("." + on_host.name)
    return Match(route, params, "/".join(segments[len(path.segments) :]) if path.prefix else "")


def found(routes: RouteTable, method: str, host: str, segments: Segments) -> Match | frozenset[str] | None:
    try:
        return routes.match(method, host, segments)
    except MethodNotAllowed as error:
        return frozenset(error.headers["Allow"].split(", "))
    except NotFound:
        return None


def without_conflicts(patterns: list[RoutePattern]) -> list[RouteEntry]:
    accepted: list[RouteEntry] = []
    for pattern in patterns:
        if not any(conflict(pattern, other.pattern) for other in accepted):
            accepted.append(entry(len(accepted), pattern))
    return accepted


@settings(max_examples=300)
@given(st.lists(route_patterns, max_size=12), st.lists(requests, min_size=1, max_size=12), st.data())
def test_a_match_is_what_looking_at_every_route_finds(
    patterns: list[RoutePattern], asked: list[tuple[str, str, Segments]], data: st.DataObject
) -> None:
    routes = without_conflicts(patterns)
    made = RouteTable(data.draw(st.permutations(routes)))
    for method, host, segments in asked:
        # As a client may send it: every character percent-encoded, or none.
        raw = "/" + "/".join(
            "".join(f"%{ord(letter):02x}" for letter in one) if data.draw(st.booleans()) else quote(one)
            for one in segments
        )
        assert found(made, method, host, split_path(raw)) == naive(routes, method, host, segments)


@settings(max_examples=200)
@given(st.lists(route_patterns, max_size=12), st.sets(st.integers(0, 11)), requests)
def test_a_table_that_lost_and_changed_routes_is_like_one_made_anew(
    patterns: list[RoutePattern], gone: set[int], asked: tuple[str, str, Segments]
) -> None:
    routes = without_conflicts(patterns)
    made = RouteTable(routes)
    found(made, *asked)
    for route in routes:
        if route.id.int in gone:
            made.drop(route.id)
        else:
            made.put(route)  # in place of itself
    left = [route for route in routes if route.id.int not in gone]
    assert len(made) == len(left)
    assert found(made, *asked) == naive(left, *asked)


@settings(max_examples=50)
@given(st.data())
def test_no_routes_make_a_match_look_up_more_than_once_for_each_shape(data: st.DataObject) -> None:
    """What a tenant may do at worst: every shape that is allowed, all of them fitting one long path."""
    places = data.draw(
        st.lists(
            st.lists(st.booleans(), min_size=MAX_SEGMENTS - 2, max_size=MAX_SEGMENTS),
            min_size=MAX_SHAPES,
            max_size=MAX_SHAPES,
            unique_by=tuple,
        )
    )
    routes = RouteTable(
        entry(
            at,
            RoutePattern(
                "POST" if at % 2 else None,
                ANY_HOST,
                PathPattern(
                    tuple(Parameter(f"p{n}") if here else "a" for n, here in enumerate(parameters)), True
                ),
            ),
        )
        for at, parameters in enumerate(places)
    )
    looked = 0

    class Counting(dict[object, object]):
        def get(self, *key: object) -> object:  # type: ignore[override]
            nonlocal looked
            looked += 1
            return ()  # so that none of them ends the search

    for shape in routes._any.shapes.values():
        shape.entries = Counting()  # type: ignore[assignment]
    with pytest.raises(NotFound):
        routes.match("GET", "h.t", ("a",) * (MAX_SEGMENTS + 1))
    assert looked <= MAX_SHAPES


def test_a_route_with_the_method_beats_one_for_any() -> None:
    routes = table("* /a", "POST /a")
    assert routes.match("POST", "h.t", ("a",)).route.pattern.method == "POST"
    assert routes.match("PUT", "h.t", ("a",)).route.pattern.method is None


def test_head_is_answered_by_its_own_route_then_get_then_any() -> None:
    assert table("GET /a", "HEAD /a").match("HEAD", "h.t", ("a",)).route.pattern.method == "HEAD"
    assert table("GET /a", "* /a").match("HEAD", "h.t", ("a",)).route.pattern.method == "GET"
    assert table("* /a").match("HEAD", "h.t", ("a",)).route.pattern.method is None


def test_a_path_with_other_methods_only_names_them() -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        table("GET /a", "POST /:x", "PUT /*", "PATCH /b").match("DELETE", "h.t", ("a",))
    assert caught.value.headers["Allow"] == "GET, HEAD, OPTIONS, POST, PUT"


@pytest.mark.parametrize("path", ["/b", "/a/", "/", "/A", "/a/b"])
def test_an_exact_path_matches_nothing_but_itself(path: str) -> None:
    with pytest.raises(NotFound):
        answer(table("GET /a"), "GET", path)


def test_an_encoded_slash_is_another_path_than_a_slash() -> None:
    routes = table("GET /a%2Fb", "POST /a/b", "GET /x/:one")
    assert answer(routes, "GET", "/a%2Fb")[0] == "/a%2Fb"
    assert answer(routes, "POST", "/a/b")[0] == "/a/b"
    assert answer(routes, "GET", "/x/1%2F2") == ("/x/:one", {"one": "1/2"}, "")


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
    assert answer(table("GET /greet/*"), "GET", path) == ("/greet/*", {}, expected)


@pytest.mark.parametrize("path", ["/greet", "/greeting/x", "/", "/x/greet/y"])
def test_a_prefix_does_not_match_its_base(path: str) -> None:
    with pytest.raises(NotFound):
        answer(table("GET /greet/*"), "GET", path)


def test_a_parameter_is_one_whole_segment_that_is_not_empty() -> None:
    routes = table("GET /users/:id", "GET /users/:id/posts/:post")
    assert answer(routes, "GET", "/users/7") == ("/users/:id", {"id": "7"}, "")
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
def test_the_more_specific_path_answers(routes: tuple[str, ...], path: str, expected: str) -> None:
    assert answer(table(*routes), "GET", path)[0] == expected


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
def test_the_more_specific_host_answers_unless_none_of_its_paths_match(
    host: str, path: str, expected: str
) -> None:
    routes = table(
        "GET api.x.t /:strict",
        "GET *.api.x.t /:longer",
        "GET *.x.t /:long",
        "GET *.x.t /a/:long",
        "GET any /a",
        "GET any /a/b",
        "GET any /a/b/c",
    )
    assert answer(routes, "GET", path, host)[0] == expected


def test_a_host_whose_path_matches_with_other_methods_only_keeps_the_request() -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        answer(table("POST x.t /a", "GET any /a"), "GET", "/a", "x.t")
    assert caught.value.headers["Allow"] == "OPTIONS, POST"


def test_a_host_parameter_binds_the_labels_to_the_left() -> None:
    routes = table("GET :tenant.x.t /:page")
    assert answer(routes, "GET", "/a", "one.x.t")[1] == {"tenant": "one", "page": "a"}
    assert answer(routes, "GET", "/a", "two.one.x.t")[1] == {"tenant": "two.one", "page": "a"}
