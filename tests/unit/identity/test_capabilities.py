"""Promises of `authorise`; tests/integration/identity has every combination over HTTP."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from picloud.core.errors import Forbidden, Unauthenticated
from picloud.identity.capabilities import CAPABILITIES, SCOPES, app_capabilities, authorise, may
from picloud.identity.principal import KeyGrant, Principal

APP, OTHER = uuid4(), uuid4()
OWNER = Principal(uuid4(), "ada", "owner")
OUTSIDER = Principal(uuid4(), "eve", "member")
NAMES = [one.name for one in CAPABILITIES]


@pytest.mark.parametrize("capability", NAMES)
def test_an_owner_has_every_capability_and_an_anonymous_caller_none(capability: str) -> None:
    assert authorise(OWNER, capability, APP) is OWNER
    with pytest.raises(Unauthenticated):
        authorise(None, capability, APP)


@pytest.mark.parametrize("capability", NAMES)
def test_a_member_gets_the_same_error_for_a_foreign_and_a_missing_app(capability: str) -> None:
    with pytest.raises(Forbidden) as of_others:
        authorise(OUTSIDER, capability, APP)
    with pytest.raises(Forbidden) as of_none:
        authorise(OUTSIDER, capability, None)
    assert (of_others.value.message, of_others.value.details) == (
        of_none.value.message,
        of_none.value.details,
    )


def test_a_denial_names_the_missing_scope_or_role() -> None:
    reader = KeyGrant(uuid4(), frozenset({"script:read"}), None)
    editor = Principal(uuid4(), "eve", "member", {APP: "editor"})
    by_key = replace(editor, key=reader)
    for who, capability, app, says in (
        (editor, "script.delete", APP, "script.delete (role app_admin in the app)"),
        (editor, "app.read", OTHER, "app.read (role viewer in the app)"),
        (editor, "instance.create_app", None, "instance.create_app (role admin)"),
        (by_key, "script.write", APP, "script.write; the key lacks the scope script:write"),
        (by_key, "script.write", OTHER, "script.write (role editor in the app)"),
        (by_key, "script.delete", APP, "script.delete (role app_admin in the app)"),
        (
            replace(OWNER, key=reader),
            "log.read",
            None,
            "log.read; the key lacks the scope log:read",
        ),
        (
            replace(OWNER, key=replace(reader, app_id=APP)),
            "log.read",
            OTHER,
            "log.read (role viewer in the app)",
        ),
    ):
        with pytest.raises(Forbidden) as denied:
            authorise(who, capability, app)
        assert denied.value.message == f"requires the capability {says}"


def test_every_scope_covers_something_and_every_capability_has_one() -> None:
    assert {one.scope for one in CAPABILITIES} == set(SCOPES)


def test_a_bound_key_reaches_its_app_and_nothing_else() -> None:
    bound = Principal(uuid4(), "ada", "owner", key=KeyGrant(uuid4(), frozenset(SCOPES), APP))
    assert may(bound, "app.admin", APP)
    assert not may(bound, "app.admin", OTHER)
    assert not may(bound, "app.read", None)
    assert not may(bound, "instance.create_app")


def test_a_key_grants_no_more_than_its_user_has() -> None:
    key = KeyGrant(uuid4(), frozenset(SCOPES))
    viewer = Principal(uuid4(), "vic", "member", {APP: "viewer"}, key)
    assert app_capabilities(viewer, APP) == (
        "viewer",
        ["app.read", "vars.read", "kv.read", "docs.read", "files.read", "log.read"],
    )


def test_a_capability_that_is_not_in_the_table_is_an_error_of_ours() -> None:
    with pytest.raises(KeyError):
        may(OWNER, "app.rule")
