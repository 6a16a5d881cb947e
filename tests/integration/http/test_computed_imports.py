"""Promises of imports with a name computed at run time."""

from __future__ import annotations

from tests.integration.conftest import Worker
from tests.integration.http.conftest import Client
from tests.integration.http.test_modules import error, importers, module, patch

BY_BODY = "let name = ctx.request.body; import name as m; m::n()"
TEXT = {"Content-Type": "text/plain"}


async def test_a_computed_import_finds_the_current_module(client: Client) -> None:
    lib = await module(client, "lib", "fn n() { 1 }")
    await module(client, "outer", 'import "lib" as l; fn n() { l::n() + 10 }')
    script = await client.script(BY_BODY)
    for n in range(1, 4):
        assert (await client.execute(script, data="lib", headers=TEXT)).json == n
        assert (await client.execute(script, data="outer", headers=TEXT)).json == n + 10
        lib = await patch(client, lib, source=f"fn n() {{ {n + 1} }}")
    assert await importers(client, lib) == ["outer"]  # what is made up cannot be known
    literal = await client.script(
        'let name = "l" + "ib"; import name as a; import "lib" as b; [a::n(), b::n()]', "two"
    )
    assert (await client.execute(literal)).json == [4, 4]


async def test_a_computed_import_reveals_no_more_than_a_literal_one(client: Client) -> None:
    assert (await client.admin("POST", "/apps", {"slug": "other", "name": "x"})).status == 201
    await module(client, "theirs", "fn n() { 1 }", "other")
    await client.script("1", name="page")
    script = await client.script(BY_BODY)
    for name, said in (
        ("theirs", "module not found"),
        ("nobody", "module not found"),
        ("../lib", "module not found"),
        ("page", "module unavailable"),
    ):
        answer = await client.execute(script, data=name, headers=TEXT)
        assert (answer.status, answer.json["error"]["message"]) == (502, f"{said}: {name}")
    literal = await client.script('import "page" as p; 1', name="literal")
    assert (await error(client, literal))[:2] == (502, "module unavailable: page")


async def test_computed_imports_are_limited_by_depth_cycles_and_shape(client: Client, worker: Worker) -> None:
    await module(client, "m8", "fn n() { 1 }")
    for level in range(7, -1, -1):
        await module(client, f"m{level}", f'const N = "m{level + 1}"; import N as m; fn n() {{ m::n() }}')
    await module(client, "a", 'import "" + "b" as b; fn n() { 1 }')
    await module(client, "b", 'import "" + "a" as a; fn n() { 1 }')
    script = await client.script(BY_BODY)
    assert (await client.execute(script, data="m1", headers=TEXT)).json == 1
    for name, said in (("m0", "max_import_depth"), ("a", "imports itself")):
        answer = await client.execute(script, data=name, headers=TEXT)
        assert answer.status == 502
        assert said in answer.json["error"]["message"], answer.body
    await worker.database.execute("UPDATE scripts SET source = E'fn n() { 1 }\\nprint(1);' WHERE name = 'm8'")
    answer = await client.execute(script, data="m8", headers=TEXT)
    assert (answer.status, answer.details["module"], answer.details["line"]) == (502, "m8", 2)
