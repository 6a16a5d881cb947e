"""Promises of control/scripts/imports.py and module_names.py that need no database."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.control.scripts.imports import MAX_MODULES, find_circle, storable
from picloud.core.errors import Invalid
from picloud.core.interface import Interface
from picloud.services.modules.names import NAMESPACES, unusable

NODES = [f"m{n}" for n in range(7)]
GRAPHS = st.dictionaries(st.sampled_from(NODES), st.lists(st.sampled_from(NODES), max_size=4))


@given(GRAPHS, st.sampled_from(NODES))
def test_a_cycle_is_found_exactly_where_there_is_one(graph: dict[str, list[str]], start: str) -> None:
    def reached(name: str) -> set[str]:
        found, waiting = set[str](), [name]
        while waiting:
            new = set(graph.get(waiting.pop(), ())) - found
            found |= new
            waiting += new
        return found

    circle = find_circle(start, graph)
    expected = any(name in reached(name) for name in {start} | reached(start))
    assert bool(circle) == expected
    if circle:
        assert circle[0] == circle[-1]
        assert len(circle) == len(set(circle)) + 1
        assert circle[0] in {start} | reached(start)
        assert all(after in graph[before] for before, after in itertools.pairwise(circle))


def test_a_long_chain_is_not_a_cycle() -> None:
    chain = {str(n): [str(n + 1)] for n in range(5000)}
    assert find_circle("0", chain) == []
    assert len(find_circle("0", {**chain, "5000": ["0"]})) == 5002


def test_a_module_cannot_have_the_name_of_a_namespace() -> None:
    for namespace in Interface.load().namespaces:
        assert unusable(namespace) is not None
    assert {"log", "time", "random", "json", "kv", "docs", "files", "http", "users"} <= NAMESPACES


@pytest.mark.parametrize("name", ["a", "_", "Z9", "kv2", "KV", "x" * 64, "import", "__proto__"])
def test_a_name_of_letters_digits_and_underscores_is_one(name: str) -> None:
    assert unusable(name) is None


@given(st.text(max_size=70))
def test_any_other_name_is_rejected(name: str) -> None:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
    good = 1 <= len(name) <= 64 and name[0] in letters and all(one in letters + "0123456789" for one in name)
    assert (unusable(name) is None) == (good and name not in NAMESPACES)


def test_unstorable_names_are_ignored_and_too_many_are_rejected() -> None:
    names = ["a", "", "a\0b", "ü" * 64, "ü" * 65, "x" * 129]
    assert storable(names) == ["a", "ü" * 64]
    assert len(storable([str(n) for n in range(MAX_MODULES)])) == MAX_MODULES
    with pytest.raises(Invalid):
        storable([str(n) for n in range(MAX_MODULES + 1)])
