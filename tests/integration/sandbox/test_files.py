"""files as scripts see it, through the real guest, on a real database and a real folder."""

from __future__ import annotations

from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from picloud.core.interface import Interface
from picloud.execution.cause import ScriptRequest
from picloud.execution.invocation import ScriptVersion
from picloud.sandbox.outcome import Outcome
from tests.integration.conftest import Worker
from tests.workbench import invocation, script, value

F = 'let f = files::collection("notes"); '
EXAMPLES = {entry.name: entry.example for entry in Interface.load().functions if entry.namespace == "files"}


async def make_app(worker: Worker) -> UUID:
    app = UUID(int=uuid7().int)
    slug = f"a{app.hex[-20:]}"
    await worker.database.execute("INSERT INTO apps (id, slug, name) VALUES ($1, $2, 'A')", app, slug)
    return app


@pytest.fixture
async def app(worker: Worker) -> UUID:
    return await make_app(worker)


async def run(
    worker: Worker, app: UUID, source: str | ScriptVersion, request: ScriptRequest | None = None
) -> Outcome:
    version = script(source, app=app) if isinstance(source, str) else source
    return await worker.platform.executor.execute(invocation(version, request))


def caught(code: str) -> str:
    """A script that says what is thrown."""
    return f"let said = (); try {{ {code}; }} catch (error) {{ said = `${{error}}` }} said"


@pytest.mark.parametrize("name", EXAMPLES)
async def test_the_reference_is_true(worker: Worker, app: UUID, name: str) -> None:
    request = ScriptRequest(body=b"\0\1\2", content_type="application/octet-stream")
    assert value(await run(worker, app, EXAMPLES[name], request)) is True


async def test_a_file_of_the_maximum_size_is_read_back(worker: Worker, app: UUID) -> None:
    source = F + 'let data = request::body_raw(); let made = f.create(#{ name: "a", data: data });'
    source += " let back = f.get(made.id).data; back == data && back.len() == 3000000"
    request = ScriptRequest(body=b"abc" * 1_000_000, content_type="application/octet-stream")
    assert value(await run(worker, app, source, request)) is True


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ('f.create(#{ name: "a", data: "", content_type: "x" })', "files::create: content_type must be a"),
        ('f.create(#{ name: "a\\nb", data: "" })', "files::create: name must not contain control characters"),
        ('f.create(#{ data: "" })', "files::create: name"),
        ('f.create(#{ name: "a" })', "files::create: data"),
        ('f.update("none", #{ name: "b" })', "files::update: no such file"),
        ('f.list("x")', "files::list: invalid cursor"),
    ],
)
async def test_bad_input_is_thrown_with_the_functions_name(
    worker: Worker, app: UUID, code: str, message: str
) -> None:
    said = value(await run(worker, app, F + caught(code)))
    assert message in str(said)


async def test_damage_is_thrown_as_such(worker: Worker, app: UUID) -> None:
    made = value(await run(worker, app, F + 'f.create(#{ name: "a", data: "hello" }).id'))
    await worker.database.execute("UPDATE files SET sha256 = decode(repeat('00', 32), 'hex')")
    said = value(await run(worker, app, F + caught(f'f.get("{made}")')))
    assert said == "files::get: corrupted"


async def test_no_function_reaches_the_file_of_another_app(worker: Worker, app: UUID) -> None:
    made = value(await run(worker, app, F + 'f.create(#{ name: "a", data: "secret" }).id'))
    source = (
        F
        + f"""
        let id = "{made}";
        let refused = false;
        try {{ f.update(id, #{{ name: "b" }}) }} catch {{ refused = true }}
        f.head(id) == () && f.get(id) == () && f.response(id) == () && !f.delete(id) && refused
            && f.list().files == []
    """
    )
    assert value(await run(worker, await make_app(worker), source)) is True
    assert value(await run(worker, app, F + f'f.get("{made}").data.as_string()')) == "secret"
