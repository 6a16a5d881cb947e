"""Promises of control/scripts/modules.py on a real database."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from picloud.control.scripts.draft import Draft
from picloud.control.scripts.model import Script
from picloud.control.scripts.modules import Module, Modules
from picloud.core.errors import Conflict, NotFound, ServiceError
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.execution.cause import HttpCause, ScriptRequest
from picloud.execution.invocation import Invocation
from picloud.execution.live_scripts import LiveScripts
from picloud.sandbox.limits import Ceilings
from picloud.services.call_context import Call
from picloud.services.modules import SERVICE as MODULES
from tests.integration.conftest import CONSOLE, Worker
from tests.workbench import value


async def save(worker: Worker, app: UUID, name: str, source: str, kind: Any = "module") -> Script:
    return await worker.platform.scripts.create(app, Draft(name, source, kind), actor=CONSOLE)


async def edit(worker: Worker, script: Script, **patch: Any) -> Script:
    return await worker.platform.scripts.update(script, patch, actor=CONSOLE)


async def run(worker: Worker, script_id: UUID) -> Any:
    """Execute a script; its value, or the message of its error."""
    live = worker.platform.live_scripts
    version = (await live.get(await live.app_of(script_id), script_id)).version
    outcome = await worker.platform.executor.execute(
        Invocation(uuid7(), version, HttpCause("execute", "r", ScriptRequest()))
    )
    return value(outcome) if outcome.error is None else outcome.error.message


def call(app: UUID) -> Call:
    return Call(app, UUID(int=1), UUID(int=2))


async def test_a_computed_import_finds_modules_of_its_app_only(worker: Worker) -> None:
    app, other = await worker.app("one"), await worker.app("two")
    lib = await save(worker, app, "lib", "fn n() { 1 }")
    await save(worker, app, "page", "1", "endpoint")
    source = worker.platform.services.of(MODULES).source
    assert await source(call(app), "lib") == b"fn n() { 1 }"
    assert await source(call(other), "lib") is None
    for name in ("nobody", "", "kv", "a\0b", "../lib", "x" * 1_000_000, "' OR true --"):
        assert await source(call(app), name) is None
    with pytest.raises(ServiceError, match=r"^module unavailable$"):
        await source(call(app), "page")
    await edit(worker, lib, source="fn n() { 2 }")
    assert await source(call(app), "lib") == b"fn n() { 2 }"


async def test_only_what_was_saved_is_read_again(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    app = await worker.app("one")
    libs = [await save(worker, app, f"lib{n}", "fn n() { 1 }") for n in range(3)]
    source = "".join(f'import "lib{n}" as lib{n};' for n in range(3))
    script = await save(worker, app, "script", source, "endpoint")
    read: list[list[str]] = []
    fetch = Database.fetch

    async def watched(self: Database, sql: str, *rest: Any) -> Any:
        rows = await fetch(self, sql, *rest)
        if sql == load("modules").script_to_run:
            read.append(sorted(row["name"] for row in rows if row["source"] is not None))
        return rows

    monkeypatch.setattr(Database, "fetch", watched)
    live = worker.platform.live_scripts
    first = await live.get(app, script.id)
    await edit(worker, libs[1], source="fn n() { 2 }")
    second = await live.get(app, script.id)
    await edit(worker, script, description="new")
    third = await live.get(app, script.id)
    assert read == [["lib0", "lib1", "lib2", "script"], ["lib1"], ["script"]]
    assert [module.source for module in third.version.modules] == [
        b"fn n() { 1 }",
        b"fn n() { 2 }",
        b"fn n() { 1 }",
    ]
    keys = {one.version.image_key for one in (first, second, third)}
    assert len(keys) == 3
    assert first.version.modules[0] is third.version.modules[0]


async def test_scripts_share_the_modules_they_have_in_common(worker: Worker) -> None:
    app = await worker.app("one")
    await save(worker, app, "lib", "fn n() { 1 }")
    scripts = [await save(worker, app, f"s{n}", 'import "lib" as l; l::n()', "endpoint") for n in range(3)]
    modules: set[int] = set()
    for script in scripts:
        (module,) = (await worker.platform.live_scripts.get(app, script.id)).version.modules
        assert isinstance(module, Module)
        modules.add(id(module))
    assert len(modules) == 1


async def test_an_image_is_of_the_versions_of_a_script_and_of_all_its_modules(worker: Worker) -> None:
    app = await worker.app("one")
    inner = await save(worker, app, "inner", "fn n() { 1 }")
    outer = await save(worker, app, "outer", 'import "inner" as i; fn n() { i::n() }')
    script = await save(worker, app, "script", 'import "outer" as o; o::n()', "endpoint")
    version = (await worker.platform.live_scripts.get(app, script.id)).version
    assert version.image_key == (script.id, 1, ((inner.id, 1), (outer.id, 1)))
    await edit(worker, inner, source="fn n() { 2 }")
    version = (await worker.platform.live_scripts.get(app, script.id)).version
    assert version.image_key == (script.id, 1, ((inner.id, 2), (outer.id, 1)))


async def test_another_module_of_the_same_name_is_another_image(worker: Worker) -> None:
    app = await worker.app("one")
    script = await save(worker, app, "script", 'import "lib" as l; l::n()', "endpoint")
    assert await run(worker, script.id) == "module not found: lib"
    for n in range(3):
        lib = await save(worker, app, "lib", f"fn n() {{ {n} }}")
        assert await run(worker, script.id) == n
        await worker.platform.scripts.delete(lib, force=True, actor=CONSOLE)
    old = await save(worker, app, "lib", "fn n() { 10 }")
    new = await save(worker, app, "lib2", "fn n() { 20 }")
    assert await run(worker, script.id) == 10
    await worker.platform.scripts.update(old, {"name": "lib3"}, force=True, actor=CONSOLE)
    await edit(worker, new, name="lib")
    assert await run(worker, script.id) == 20


async def test_a_failed_save_keeps_the_previous_imports(worker: Worker) -> None:
    app = await worker.app("one")
    await save(worker, app, "taken", "fn n() { 1 }")
    script = await save(worker, app, "script", 'import "taken" as t; t::n()', "endpoint")
    with pytest.raises(Conflict):
        await edit(worker, script, source='import "other" as o;', name="taken")
    assert [one.name for one in await worker.platform.modules.imports(script)] == ["taken"]
    assert await run(worker, script.id) == 1


async def test_concurrent_saves_leave_the_imports_of_the_last_version(worker: Worker) -> None:
    app = await worker.app("one")
    script = await save(worker, app, "script", "1", "endpoint")
    await asyncio.gather(
        *(edit(worker, script, source=f'import "m{n}" as a; import "n{n}" as b;') for n in range(4)),
        return_exceptions=True,
    )
    last = await worker.platform.scripts.get(str(script.id))
    names = [one.name for one in await worker.platform.modules.imports(last)]
    assert len(names) == 2
    assert all(f'"{name}"' in last.source for name in names)


async def test_a_worker_that_slept_through_it_all_runs_what_is_saved(worker: Worker) -> None:
    app = await worker.app("one")
    lib = await save(worker, app, "lib", "fn n() { 1 }")
    script = await save(worker, app, "script", 'import "lib" as l; l::n()', "endpoint")
    there = LiveScripts(worker.database, Modules(worker.database), worker.generations, Ceilings())
    for n in range(3):
        assert [module.version for module in (await there.get(app, script.id)).version.modules] == [n + 1]
        lib = await edit(worker, lib, source=f"fn n() {{ {n} }}")
    await worker.platform.scripts.delete(script, actor=CONSOLE)
    with pytest.raises(NotFound):
        await there.get(app, script.id)


APPS, NAMES = ("red", "blue"), ("m0", "m1", "m2", "page")
STEP = st.tuples(
    st.sampled_from(APPS),
    st.sampled_from(["save", "save", "save", "delete", "run", "source"]),
    st.sampled_from(NAMES),
    st.sampled_from(NAMES[:3]),
    st.integers(0, 9),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=30))
async def test_an_app_never_runs_a_module_of_another_app(
    worker: Worker, steps: list[tuple[str, str, str, str, int]]
) -> None:
    """The model of an app: name -> (number it tells, what it imports or "")."""
    scripts = worker.platform.scripts
    apps = {name: await worker.app(f"{name}-{uuid7()}") for name in APPS}
    model: dict[str, dict[str, tuple[int, str]]] = {name: {} for name in APPS}
    made: dict[tuple[str, str], Script] = {}

    begin = [(app, "save", name, f"m{n - 1}", n) for n, name in enumerate(NAMES) for app in APPS]
    end = [(app, "run", "page", "", 0) for app in APPS]
    for app, verb, name, then, number in (*begin, *end, *steps, *end):
        if verb == "save":
            # What is not there yet is not imported: the model is to tell of values, too, not of errors only.
            known = then in model[app]
            source = f'import "{then}" as t;' if known else ""
            model[app][name] = (number, then if known else "")
            text = f'["{app} {name} {number}"] + {"t::all()" if known else "[]"}'
            is_page = name == "page"
            source += text if is_page else f"fn all() {{ {text} }}"
            old = made.get((app, name))
            if old is None:
                kind = "endpoint" if is_page else "module"
                made[app, name] = await save(worker, apps[app], name, source, kind)
            else:
                made[app, name] = await edit(worker, old, source=source)
        elif verb == "delete" and (app, name) in made:
            await scripts.delete(made.pop((app, name)), force=True, actor=CONSOLE)
            del model[app][name]
        elif verb == "source" and name != "page":
            got = await worker.platform.services.of(MODULES).source(call(apps[app]), name)
            assert (got is not None) == (name in model[app])
            assert got is None or f'["{app} {name} '.encode() in got
        elif verb == "run" and (app, "page") in made:
            answer = await run(worker, made[app, "page"].id)
            assert answer == _found(model[app], app)


def _found(model: dict[str, tuple[int, str]], app: str) -> Any:
    """What the page of an app answers, or the error it ends with."""
    said, name, seen = [], "page", []
    while name:
        if name in seen:
            return f"import: module {name} imports itself"
        if name not in model:
            return f"module not found: {name}"
        if name != "page":
            seen.append(name)
        number, then = model[name]
        said.append(f"{app} {name} {number}")
        name = then
    return said
