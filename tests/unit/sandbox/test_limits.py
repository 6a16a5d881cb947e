"""Limits: the table of the specification, and what an override may be."""

from __future__ import annotations

import pytest

from picloud.sandbox.limits import FIXED, LIMIT_SPECS, MIB, PER_SCRIPT, Ceilings, LimitRejected

TABLE = {
    "max_fuel": (2_000_000_000, 50_000_000_000),
    "max_operations": (1_000_000, 10_000_000),
    "memory_limit_mb": (32, 256),
    "timeout_seconds": (30, 300),
    "max_string_size": (256 * 1024, MIB),
    "max_array_size": (10_000, 100_000),
    "max_map_size": (10_000, 100_000),
    "max_call_levels": (64, 128),
    "max_expr_depth": (64, 128),
    "max_host_calls": (1_000, 100_000),
}


def test_defaults_and_ceilings_are_those_of_the_specification() -> None:
    assert {name: (limit.default, limit.ceiling) for name, limit in PER_SCRIPT.items()} == TABLE
    assert FIXED["max_log_lines"] == 1000
    assert FIXED["max_log_bytes"] == 256 * 1024
    assert FIXED["max_request_body"] == FIXED["max_response_body"] == 10 * MIB
    assert FIXED["max_source_size"] == MIB
    assert FIXED["max_import_depth"] == 8


def test_without_overrides_a_script_has_the_defaults() -> None:
    limits = Ceilings().resolve({})
    assert {name: getattr(limits, name) for name in TABLE} == {name: row[0] for name, row in TABLE.items()}


@pytest.mark.parametrize("name", TABLE)
def test_an_override_above_its_ceiling_is_rejected(name: str) -> None:
    ceiling = TABLE[name][1]
    assert getattr(Ceilings().resolve({name: ceiling}), name) == ceiling
    assert getattr(Ceilings().resolve({name: 1}), name) == 1
    with pytest.raises(LimitRejected) as refusal:
        Ceilings().resolve({name: ceiling + 1})
    assert refusal.value.details == {"field": name, "requested": ceiling + 1, "ceiling": ceiling}


@pytest.mark.parametrize("value", [0, -1, True, False, None, "5", 1.5, [], {}, 2**70])
def test_an_override_of_another_type_is_rejected(value: object) -> None:
    with pytest.raises(LimitRejected) as refusal:
        Ceilings().resolve({"max_fuel": value})
    assert refusal.value.field == "max_fuel"


@pytest.mark.parametrize("name", ["fuel", "", "MAX_FUEL", "max_log_lines", "max_import_depth", "max_fuel "])
def test_an_unknown_override_is_rejected_with_the_known_names(name: str) -> None:
    with pytest.raises(LimitRejected) as refusal:
        Ceilings().resolve({name: 1})
    assert refusal.value.details["known"] == sorted(TABLE)


def test_a_lowered_ceiling_lowers_the_default_too() -> None:
    ceilings = Ceilings({"timeout_seconds": 5})
    assert ceilings.resolve({}).timeout_seconds == 5
    with pytest.raises(LimitRejected):
        ceilings.resolve({"timeout_seconds": 6})


def test_every_ceiling_a_script_can_reach_is_moved_by_its_variable() -> None:
    assert {limit.env for limit in LIMIT_SPECS if limit.per_script} == {
        f"PICLOUD_SANDBOX_{name.upper()}" for name in TABLE
    }


def test_the_table_shows_the_values_of_this_instance() -> None:
    rows = {str(row["name"]): row for row in Ceilings({"max_fuel": 1000}).table()}
    assert len(rows) == len(LIMIT_SPECS)
    assert (rows["max_fuel"]["default"], rows["max_fuel"]["ceiling"]) == (1000, 1000)


def test_the_guest_gets_only_the_limits_it_enforces() -> None:
    told = Ceilings().resolve({"max_operations": 7}).for_guest()
    assert told["max_operations"] == 7
    assert not told.keys() & {"max_fuel", "memory_limit_mb", "timeout_seconds", "max_host_calls"}
