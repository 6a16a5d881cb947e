"""Promises of identity/capabilities.py."""

from __future__ import annotations

from uuid import uuid4

import pytest

from picloud.errors import Forbidden, Unauthenticated
from picloud.identity.capabilities import (
    APP_CAPABILITIES,
    INSTANCE_CAPABILITIES,
    app_capabilities,
    authorise,
)
from picloud.identity.principal import Principal

OWNER = Principal(uuid4(), "ada", "owner")
MEMBER = Principal(uuid4(), "eve", "member")


@pytest.mark.parametrize("capability", APP_CAPABILITIES + INSTANCE_CAPABILITIES)
def test_an_owner_may_nobody_else_may(capability: str) -> None:
    assert authorise(OWNER, capability, uuid4()) is OWNER
    with pytest.raises(Forbidden):
        authorise(MEMBER, capability, uuid4())
    with pytest.raises(Unauthenticated):
        authorise(None, capability, uuid4())


def test_a_capability_that_is_misspelt_is_no_permission() -> None:
    with pytest.raises(ValueError, match=r"app\.raed"):
        authorise(OWNER, "app.raed")


def test_what_may_be_done_is_what_is_told() -> None:
    assert app_capabilities(OWNER, uuid4()) == ("app_admin", list(APP_CAPABILITIES))
    assert app_capabilities(MEMBER, uuid4()) == ("none", [])
