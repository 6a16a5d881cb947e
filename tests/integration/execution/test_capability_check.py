"""Scripts do for their caller what the caller may do themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import pytest

from picloud.execution.admission import Admission
from picloud.execution.capability_check import with_capability_checks
from picloud.execution.executor import Executor
from picloud.identity.principal import Principal
from picloud.sandbox.cache import ImageCache
from picloud.sandbox.engine import Engine
from picloud.sandbox.sandbox import Sandbox
from picloud.sandbox.threads import Threads
from tests.workbench import NOBODY, in_memory, invocation, value

WRITE = 'let c = kv::collection("c"); c.set("k", 1); c.get("k")'
READ = 'kv::collection("c").get("k")'
VIEWER = Principal(uuid4(), "eve", "member", {NOBODY: "viewer"})
EDITOR = replace(VIEWER, memberships={NOBODY: "editor"})


@pytest.fixture
async def executor(engine: Engine) -> AsyncIterator[Executor]:
    threads = Threads(2)
    functions = with_capability_checks(in_memory(), engine.interface)
    yield Executor(Admission(4, 4), Sandbox(engine, ImageCache(8, 8), threads, functions), None)
    threads.close()


async def test_only_an_anonymous_caller_or_a_writer_can_write(executor: Executor) -> None:
    for principal in (None, EDITOR):
        made = replace(invocation(WRITE), principal=principal)
        assert value(await executor.execute(made)) == 1
    assert value(await executor.execute(replace(invocation(READ), principal=VIEWER))) == 1
    refused = await executor.execute(replace(invocation(WRITE), principal=VIEWER))
    assert refused.code == "script_error"
    assert refused.error is not None
    assert "kv::set: " in refused.error.message
    assert "kv.write" in refused.error.message


async def test_a_script_can_catch_a_denied_call(executor: Executor) -> None:
    source = 'try { kv::collection("c").set("k", 1); } catch (e) { return e; }'
    outcome = await executor.execute(replace(invocation(source), principal=VIEWER))
    assert value(outcome).startswith("kv::set: ")
    assert value(outcome).endswith("kv.write")
