"""Promises of routing/conflict.py."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given, settings

from picloud.routing.conflict import RoutePattern, conflict
from picloud.routing.hosts import parse_host
from picloud.routing.pattern import Parameter, parse_path
from tests.unit.routing.patterns import (
    ASKED,
    NAMES,
    host_rank,
    method_rank,
    path_rank,
    route_patterns,
)


def route(text: str) -> RoutePattern:
    method, host, path = text.split()
    return RoutePattern(None if method == "*" else method, parse_host(host), parse_path(path))


def some_request_is_matched_by_both_with_equal_precedence(one: RoutePattern, other: RoutePattern) -> bool:
    # No pattern tells segments apart that are not among its literals, and none is longer than three.
    literals = {part for path in (one.path, other.path) for part in path.segments if isinstance(part, str)}
    alphabet = sorted({*literals, "", "other"})
    longest = max(len(one.path.segments), len(other.path.segments)) + 1
    for length in range(1, longest + 1):
        for segments in itertools.product(alphabet, repeat=length):
            rank = path_rank(one.path, segments)
            if rank is None or rank != path_rank(other.path, segments):
                continue
            for host, method in itertools.product(NAMES, ASKED):
                here = host_rank(one.host, host), method_rank(one.method, method)
                if None not in here and here == (
                    host_rank(other.host, host),
                    method_rank(other.method, method),
                ):
                    return True
    return False


@settings(max_examples=400)
@given(route_patterns, route_patterns)
@example(route("GET any /:a/b"), route("GET any /:a/:b"))
@example(route("GET any /a/:b/*"), route("GET any /a/*"))
@example(route("GET any /:a//c"), route("GET any /:a/:b/c"))
@example(route("* :sub.x.t /a"), route("* *.x.t /a"))
def test_routes_conflict_exactly_when_some_request_is_matched_by_both_with_equal_precedence(
    one: RoutePattern, other: RoutePattern
) -> None:
    expected = some_request_is_matched_by_both_with_equal_precedence(one, other)
    assert conflict(one, other) == conflict(other, one) == expected


@given(route_patterns)
def test_a_route_conflicts_with_itself(one: RoutePattern) -> None:
    assert conflict(one, one)


@settings(max_examples=400)
@given(route_patterns, route_patterns)
def test_routes_that_conflict_are_found_by_what_is_stored_of_them(
    one: RoutePattern, other: RoutePattern
) -> None:
    if conflict(one, other):
        assert one.stem == other.stem
        assert len(one.tail) == len(other.tail)
        assert all(None in pair or pair[0] == pair[1] for pair in zip(one.tail, other.tail, strict=True))


@given(route_patterns, route_patterns)
def test_stem_and_tail_are_the_whole_path_without_names(one: RoutePattern, other: RoutePattern) -> None:
    def nameless(route: RoutePattern) -> object:
        places = tuple(":" if isinstance(part, Parameter) else (part,) for part in route.path.segments)
        return route.host.shape, places, route.path.prefix

    assert ((one.stem, one.tail) == (other.stem, other.tail)) == (nameless(one) == nameless(other))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("GET any /a", "GET any /a", True),
        ("GET any /a", "POST any /a", False),
        ("GET any /a", "* any /a", False),
        ("GET any /a", "HEAD any /a", False),
        ("GET any /a", "GET x.t /a", False),
        ("GET *.x.t /a", "GET :who.x.t /a", True),
        ("GET *.x.t /a", "GET *.t /a", False),
        ("GET any /a/:x", "GET any /a/:y", True),
        ("GET any /a/:x", "GET any /a/b", False),
        ("GET any /a/:x", "GET any /a/*", False),
        ("GET any /a/:x/b", "GET any /a/:x/:y", True),
        ("GET any /a/:x/b", "GET any /a/:x/c", False),
        ("GET any /:x/b", "GET any /a/:y", False),
        ("GET any /a/*", "GET any /a/b/*", False),
        ("GET any /*", "GET any /*", True),
        ("GET any /a%2Fb", "GET any /a/b", False),
        ("GET any /%3Ax", "GET any /:x", False),
    ],
)
def test_typical_pairs_of_routes(one: str, other: str, expected: bool) -> None:
    assert conflict(route(one), route(other)) is expected
