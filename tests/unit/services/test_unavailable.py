"""Stubs of missing host functions: they raise an error, the others work."""

from __future__ import annotations

import pytest

from picloud.core.errors import ServiceError
from picloud.core.interface import Interface
from picloud.services import builtins
from picloud.services.unavailable import with_unavailable_stubs


async def test_a_missing_function_raises_an_error() -> None:
    interface = Interface.load()
    functions = with_unavailable_stubs(builtins.host_functions(), interface)
    interface.check_table(functions)
    assert functions["time_now"] is builtins.now
    with pytest.raises(ServiceError, match="server"):
        await functions["docs_get"](None, "collection", "id")
