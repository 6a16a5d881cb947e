"""The guard: a script does for its caller what the caller may do, and for nobody what the script says."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from picloud.core.errors import ServiceError
from picloud.core.interface import Interface, InterfaceMismatch, Signature
from picloud.execution.capability_check import with_capability_checks
from picloud.identity.capabilities import CAPABILITIES, SCOPES, may
from picloud.identity.principal import KeyGrant, Principal
from picloud.services.call_context import Call

INTERFACE = Interface.load()
NEEDING = [signature for signature in INTERFACE.hosts if signature.capability]
APP, OTHER = uuid4(), uuid4()


async def echo(call: Call, *params: object) -> object:
    return (call.app_id, *params)


FUNCTIONS = with_capability_checks({one.name: echo for one in INTERFACE.service_functions}, INTERFACE)


def call(principal: Principal | None, app: UUID = APP) -> Call:
    return Call(app, uuid4(), uuid4(), principal)


def member(role: str | None) -> Principal:
    return Principal(uuid4(), "eve", "member", {APP: role} if role else {})  # type: ignore[dict-item]


PRINCIPALS = [
    Principal(uuid4(), "ada", "owner"),
    Principal(uuid4(), "bob", "admin"),
    *(member(role) for role in ("app_admin", "editor", "viewer", None)),
    *(replace(member("app_admin"), key=KeyGrant(uuid4(), frozenset({scope}))) for scope in SCOPES),
    replace(member("app_admin"), key=KeyGrant(uuid4(), frozenset(SCOPES), OTHER)),
    replace(member("app_admin"), key=KeyGrant(uuid4(), frozenset(SCOPES), APP)),
]


@pytest.mark.parametrize("signature", NEEDING, ids=lambda signature: signature.name)
async def test_a_host_function_requires_its_capability_of_the_caller(signature: Signature) -> None:
    for principal in PRINCIPALS:
        for app in (APP, OTHER):
            work = FUNCTIONS[signature.name](call(principal, app), "a", 1)
            if may(principal, signature.capability, app):
                assert await work == (app, "a", 1)
            else:
                with pytest.raises(ServiceError, match=signature.capability):
                    await work


@pytest.mark.parametrize("name", FUNCTIONS)
async def test_an_anonymous_caller_is_not_restricted(name: str) -> None:
    assert await FUNCTIONS[name](call(None), 1) == (APP, 1)


async def test_functions_without_a_capability_are_for_everyone() -> None:
    for signature in INTERFACE.hosts:
        if signature.namespace != "log" and not signature.capability:
            assert await FUNCTIONS[signature.name](call(member(None))) == (APP,)


def test_an_interface_with_an_unknown_capability_is_rejected() -> None:
    odd = replace(INTERFACE, hosts=(replace(NEEDING[0], capability="kv.raed"),))
    with pytest.raises(InterfaceMismatch, match=r"kv\.raed"):
        with_capability_checks({NEEDING[0].name: echo}, odd)


def test_every_capability_of_the_interface_is_one() -> None:
    assert {one.capability for one in NEEDING} <= {one.name for one in CAPABILITIES}
