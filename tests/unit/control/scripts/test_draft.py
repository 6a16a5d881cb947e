"""Promises of control/scripts/draft.py."""

from __future__ import annotations

import pytest

from picloud.control.scripts.draft import Draft
from picloud.core.errors import Invalid
from picloud.sandbox.limits import PER_SCRIPT, Ceilings

DRAFT = Draft("greet", "1", description="d", sandbox={"max_fuel": 5, "timeout_seconds": 2})


def test_an_empty_patch_changes_nothing() -> None:
    assert DRAFT.patched({}) == DRAFT


def test_overrides_are_merged_name_by_name() -> None:
    patched = DRAFT.patched({"sandbox": {"max_fuel": None, "max_map_size": 7}})
    assert patched.sandbox == {"timeout_seconds": 2, "max_map_size": 7}
    assert DRAFT.patched({"sandbox": None}).sandbox == {}


def test_an_unknown_limit_is_rejected_even_if_null() -> None:
    with pytest.raises(Invalid, match="nope"):
        DRAFT.patched({"sandbox": {"nope": None}}).check(Ceilings())


def test_null_clears_optional_fields_and_is_rejected_elsewhere() -> None:
    cleared = DRAFT.patched({"description": None, "execute_access": None})
    assert (cleared.description, cleared.execute_access) == ("", "routed")
    for name in ("name", "source", "kind"):
        with pytest.raises(Invalid) as caught:
            DRAFT.patched({name: None})
        assert caught.value.details["field"] == name


@pytest.mark.parametrize("name", sorted(PER_SCRIPT))
def test_every_limit_can_be_overridden_up_to_its_ceiling(name: str) -> None:
    ceiling = Ceilings()[name]
    limits = Draft("s", "1", sandbox={name: ceiling}).check(Ceilings())
    assert getattr(limits, name) == ceiling
    with pytest.raises(Invalid) as caught:
        Draft("s", "1", sandbox={name: ceiling + 1}).check(Ceilings())
    assert caught.value.details == {"field": f"sandbox.{name}", "requested": ceiling + 1, "ceiling": ceiling}


@pytest.mark.parametrize("name", ["", " ", "a ", "\ta", "a\nb", "a\0", "a\u202eb", "\udcff", "x" * 129])
def test_a_name_with_invisible_characters_is_rejected(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        Draft(name, "1").check(Ceilings())
    assert caught.value.details["field"] == "name"


@pytest.mark.parametrize("name", ["a", "x" * 128, "lib/math", "größe 2", "日本"])
def test_any_other_name_will_do(name: str) -> None:
    Draft(name, "1").check(Ceilings())
