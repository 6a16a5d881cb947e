"""Promises of services/call.py."""

from __future__ import annotations

from uuid import UUID

import pytest

from picloud.errors import ServiceError
from picloud.identity.principal import Principal
from picloud.sandbox.engine import Engine
from picloud.services import clock, kv
from picloud.services.call import Call

STRANGER = Principal(UUID(int=1), "otto", "member")


async def test_every_host_function_asks_for_the_capability_its_interface_names(engine: Engine) -> None:
    functions = {**kv.host_functions(kv.MemoryKeyValue()), **clock.host_functions()}
    call = Call(UUID(int=2), UUID(int=3), UUID(int=4), STRANGER)
    asked = [one for one in engine.interface.functions if one.capability]
    assert asked
    for signature in asked:
        with pytest.raises(ServiceError, match=rf"needs the capability {signature.capability}$"):
            await functions[signature.name](call, *(None for _ in signature.params))
