"""Promises of routing/table.py."""

from __future__ import annotations

from uuid import UUID

import pytest

from picloud.errors import MethodNotAllowed, NotFound
from picloud.routing.table import RouteEntry, RouteTable

APP, OTHER, SCRIPT = UUID(int=1), UUID(int=2), UUID(int=9)


def table(*routes: tuple[str | None, str]) -> RouteTable:
    return RouteTable(
        RouteEntry(UUID(int=at), APP, SCRIPT, method, path) for at, (method, path) in enumerate(routes)
    )


def test_a_route_with_the_method_beats_one_for_any() -> None:
    routes = table((None, "/a"), ("POST", "/a"))
    assert routes.match(APP, "POST", ("a",)).route.method == "POST"
    assert routes.match(APP, "PUT", ("a",)).route.method is None


def test_head_is_answered_by_its_own_route_then_get_then_any() -> None:
    assert table(("GET", "/a"), ("HEAD", "/a")).match(APP, "HEAD", ("a",)).route.method == "HEAD"
    assert table(("GET", "/a"), (None, "/a")).match(APP, "HEAD", ("a",)).route.method == "GET"
    assert table((None, "/a")).match(APP, "HEAD", ("a",)).route.method is None


def test_a_path_with_other_methods_only_names_them() -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        table(("GET", "/a"), ("POST", "/a")).match(APP, "DELETE", ("a",))
    assert caught.value.headers["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("segments", [("b",), ("a", ""), ("",), ("A",), ("a", "b")])
def test_an_exact_path_matches_nothing_but_itself(segments: tuple[str, ...]) -> None:
    with pytest.raises(NotFound):
        table(("GET", "/a")).match(APP, "GET", segments)


def test_an_encoded_slash_is_another_path_than_a_slash() -> None:
    routes = table(("GET", "/a%2Fb"), ("POST", "/a/b"))
    assert routes.match(APP, "GET", ("a/b",)).route.path == "/a%2Fb"
    assert routes.match(APP, "POST", ("a", "b")).route.path == "/a/b"


def test_routes_of_another_app_do_not_answer() -> None:
    with pytest.raises(NotFound):
        table(("GET", "/a")).match(OTHER, "GET", ("a",))
