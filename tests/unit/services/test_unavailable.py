"""A table that is made whole: what is there works, what is not refuses."""

from __future__ import annotations

import pytest

from picloud.core.errors import ServiceError
from picloud.core.interface import Interface
from picloud.services import builtins
from picloud.services.unavailable import with_unavailable_stubs


async def test_what_is_not_there_refuses() -> None:
    interface = Interface.load()
    functions = with_unavailable_stubs(builtins.host_functions(), interface)
    interface.check_table(functions)
    assert functions["time_now"] is builtins.now
    with pytest.raises(ServiceError, match="without a server"):
        await functions["docs_get"](None, "collection", "id")
