"""Which writes match a trigger."""

from __future__ import annotations

from uuid import UUID

import pytest

from picloud.outbox.matching import TriggerTable, matches
from picloud.outbox.write import Outbox

APP, OTHER = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(
    ("glob", "collection", "expected"),
    [
        ("*", "users", True),
        ("users", "users", True),
        ("users", "users:1", False),
        ("users:*", "users:1", True),
        ("users:*", "users:", True),
        ("users:*", "users", False),
        ("us*", "users", True),
        ("us*", "Users", False),
        ("Users", "users", False),
        ("a.c", "abc", False),
    ],
)
def test_a_glob_is_everything_a_prefix_or_a_name(glob: str, collection: str, expected: bool) -> None:
    assert matches(glob, collection) is expected


async def test_a_table_knows_app_store_and_collection() -> None:
    table = TriggerTable()
    assert not await table.has_listener(APP, "kv", "users")
    table.replace(APP, {"kv": ("orders", "us*")})
    assert await table.has_listener(APP, "kv", "users")
    assert not await table.has_listener(APP, "kv", "other")
    assert not await table.has_listener(APP, "docs", "users")
    assert not await table.has_listener(OTHER, "kv", "users")
    table.replace(APP, {})
    assert not await table.has_listener(APP, "kv", "users")


async def test_an_outbox_without_listeners_asks_for_no_values() -> None:
    table = TriggerTable()
    table.replace(APP, {"kv": ("*",)})
    assert not await Outbox(table).has_listener(APP, "kv", "users")
