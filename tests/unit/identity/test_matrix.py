"""The capability matrix: the table in the code equals `tests/expected_access.py`."""

from __future__ import annotations

from typing import get_args
from uuid import UUID, uuid4

import pytest

from picloud.identity.capabilities import CAPABILITIES, app_capabilities, instance_capabilities, may
from picloud.identity.principal import KeyGrant, Principal
from tests.expected_access import EVERYONE, OWNER, ROLES, SCOPES, Where, Who

APPS: dict[Where, UUID | None] = {"this": uuid4(), "other": uuid4(), "missing": None}
KNOWN = [who for who in EVERYONE if who.role is not None]


def principal(who: Who) -> Principal:
    key = None
    if who.scopes is not None:
        key = KeyGrant(uuid4(), who.scopes, None if who.bound is None else APPS[who.bound])
    if who.role in ("owner", "admin"):
        return Principal(uuid4(), who.name, who.role, key=key)  # type: ignore[arg-type]
    here = APPS["this"]
    assert here is not None
    memberships = {} if who.role == "outsider" else {here: who.role}
    return Principal(uuid4(), who.name, "member", memberships, key)  # type: ignore[arg-type]


def test_the_table_has_the_capabilities_and_scopes_of_the_specification() -> None:
    assert {one.name for one in CAPABILITIES} == OWNER
    assert {one.name: one.scope for one in CAPABILITIES} == {
        name: scope for scope, names in SCOPES.items() for name in names
    }
    ranked = ("viewer", "editor", "app_admin", "admin", "owner")
    assert {one.name: one.least_role for one in CAPABILITIES} == {
        name: next(role for role in ranked if name in ROLES[role]) for name in OWNER
    }


@pytest.mark.parametrize("where", get_args(Where))
@pytest.mark.parametrize("who", KNOWN, ids=lambda who: who.name)
def test_each_principal_has_exactly_the_specified_capabilities(who: Who, where: Where) -> None:
    app_id, acting = APPS[where], principal(who)
    allowed = {one.name for one in CAPABILITIES if may(acting, one.name, app_id)}
    assert allowed == {name for name in OWNER if who.may(name, where)}
    if app_id is not None:
        shown = app_capabilities(acting, app_id)[1]
        assert set(shown) == {name for name in allowed if not name.startswith("instance.")}
    assert set(instance_capabilities(acting)) == {
        name for name in OWNER if name.startswith("instance.") and who.may(name, "this")
    }
