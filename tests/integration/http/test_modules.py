"""Promises of modules to script authors."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from picloud.db.pool import Database
from tests.integration.conftest import CONSOLE, Worker
from tests.integration.http.conftest import Client

MISSING = "module not found"


async def module(client: Client, name: str, source: str, app: str = "default") -> dict[str, Any]:
    return await client.script(source, name=name, kind="module", app=app)


async def patch(client: Client, script: dict[str, Any], query: str = "", **fields: Any) -> dict[str, Any]:
    answer = await client.admin("PATCH", f"/scripts/{script['id']}{query}", fields)
    assert answer.status == 200, answer.body
    return dict(answer.json)


async def imports(client: Client, script: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await client.admin("GET", f"/scripts/{script['id']}/imports")
    assert answer.status == 200, answer.body
    assert answer.json["next_cursor"] is None
    return list(answer.json["items"])


async def importers(client: Client, script: dict[str, Any]) -> list[str]:
    answer = await client.admin("GET", f"/scripts/{script['id']}/imported-by")
    assert answer.status == 200, answer.body
    return [one["name"] for one in answer.json["items"]]


async def error(client: Client, script: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
    answer = await client.execute(script)
    return answer.status, answer.json["error"]["message"], answer.details


async def test_a_script_calls_functions_and_constants_of_modules_and_of_theirs(client: Client) -> None:
    await module(client, "units", "const CENTS = 100; fn cents(euros) { euros * 100 }")
    await module(
        client, "money", 'import "units" as u; const TAX = 19; fn taxed(e) { u::cents(e) * 119 / 100 }'
    )
    script = await client.script(
        'import "money" as money; import "units" as units; [money::taxed(2), money::TAX, units::CENTS]'
    )
    assert (await client.execute(script)).json == [238, 19, 100]


async def test_the_next_execution_runs_an_edited_module(client: Client) -> None:
    inner = await module(client, "inner", "fn n() { 0 }")
    await module(client, "outer", 'import "inner" as inner; fn n() { inner::n() }')
    script = await client.script('import "outer" as outer; outer::n()')
    for n in range(5):
        assert (await client.execute(script)).json == n
        inner = await patch(client, inner, source=f"fn n() {{ {n + 1} }}")
    assert (await client.execute(script)).json == 5
    path = f"/scripts/{inner['id']}/versions/1:restore"
    assert (await client.admin("POST", path, {})).status == 200
    assert (await client.execute(script)).json == 0


async def test_a_cached_run_with_three_modules_asks_the_database_nothing(
    client: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, source in {
        "one": "fn n() { 1 }",
        "two": 'import "one" as one; fn n() { one::n() + 1 }',
        "three": 'import "two" as two; fn n() { two::n() + 1 }',
    }.items():
        await module(client, name, source)
    script = await client.script('import "three" as three; three::n()')
    other = await client.script("1", name="other")
    statements: list[str] = []
    for name in ("fetch", "fetchrow", "fetchval", "execute"):
        asked = getattr(Database, name)

        async def counted(self: Database, sql: str, *rest: Any, asked: Any = asked) -> Any:
            if "execution_logs" not in sql and "admin_sessions" not in sql:
                statements.append(sql)
            return await asked(self, sql, *rest)

        monkeypatch.setattr(Database, name, counted)
    client.token = None
    compiled = worker.platform.executor.sandbox.cache
    assert (await client.execute(script)).json == 3
    assert len(statements) == 2, statements  # the app of the script, then the script with its modules
    before = compiled.compiled
    for _ in range(5):
        assert (await client.execute(script)).json == 3
    assert len(statements) == 2
    await worker.platform.scripts.update(
        await worker.platform.scripts.get(other["id"]), {"source": "2"}, actor=CONSOLE
    )
    statements.clear()
    assert (await client.execute(script)).json == 3
    assert len(statements) == 2  # another script of the app was saved: revisions, then the app's script
    assert compiled.compiled == before


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("my-lib", "letters"),
        ("1st", "letters"),
        ("a b", "letters"),
        ("naïve", "letters"),
        ("x" * 65, "letters"),
        ("kv", "namespace"),
        ("json", "namespace"),
        ("users", "namespace"),
    ],
)
async def test_an_invalid_module_name_is_rejected_everywhere(client: Client, name: str, said: str) -> None:
    source = "fn f() { 1 }"
    good = await module(client, "a" * 64, source)
    endpoint = await client.script(source, name=name)
    for method, path, body in (
        ("POST", "/apps/default/scripts", {"name": name, "source": source, "kind": "module"}),
        ("PATCH", f"/scripts/{good['id']}", {"name": name}),
        ("PATCH", f"/scripts/{endpoint['id']}", {"kind": "module"}),
    ):
        answer = await client.admin(method, path, body)
        assert (answer.status, answer.error, answer.details["field"]) == (422, "invalid", "name"), answer.body
        assert said in answer.json["error"]["message"]


@pytest.mark.parametrize("source", ["1", "let x = 1;", "print(1);", "fn f() { 1 } f();"])
async def test_a_module_contains_only_functions_constants_and_imports(client: Client, source: str) -> None:
    endpoint = await client.script(source, name="loose")
    for answer in (
        await client.admin(
            "POST", "/apps/default/scripts", {"name": "m", "source": source, "kind": "module"}
        ),
        await client.admin("PATCH", f"/scripts/{endpoint['id']}", {"kind": "module"}),
    ):
        assert (answer.status, answer.error) == (422, "script_invalid")
        assert "fn, const and import" in answer.json["error"]["message"]
        assert answer.details["line"] == 1


async def test_scripts_and_modules_can_be_saved_in_any_order(client: Client) -> None:
    parts = {
        "site": ("endpoint", 'import "left" as l; import "right" as r; l::n() + r::n()'),
        "left": ("module", 'import "base" as b; fn n() { b::N }'),
        "right": ("module", 'import "base" as b; fn n() { b::N * 10 }'),
        "base": ("module", "const N = 1;"),
    }
    for number, order in enumerate(itertools.permutations(parts)):
        app = f"order-{number}"
        assert (await client.admin("POST", "/apps", {"slug": app, "name": "x"})).status == 201
        made = {
            name: await client.script(parts[name][1], name=name, kind=parts[name][0], app=app)
            for name in order
        }
        assert (await client.execute(made["site"])).json == 11, order
        if number == 5:
            break


async def test_a_missing_module_is_found_once_it_exists(client: Client) -> None:
    script = await client.script('let n = 1;\nimport "late" as late; late::n()')
    status, message, details = await error(client, script)
    assert (status, message) == (502, f"{MISSING}: late")
    assert details["line"] == 2
    careful = await client.script(
        'let n = 0; try { import "late" as l; n = l::n(); } catch { } n', name="careful"
    )
    assert (await client.execute(careful)).json == 0
    late = await module(client, "late", "fn n() { 7 }")
    assert (await client.execute(script)).json == 7
    assert (await client.execute(careful)).json == 7
    assert (await client.admin("DELETE", f"/scripts/{late['id']}?force=true")).status == 204
    assert (await error(client, script))[:2] == (502, f"{MISSING}: late")


async def test_an_error_in_a_module_has_its_position(client: Client) -> None:
    await module(client, "deep", "\nfn fail() {\n    throw `it broke`;\n}")
    await module(client, "flat", 'import "deep" as deep; fn fail() { deep::fail() }')
    script = await client.script('import "flat" as flat; flat::fail()')
    answer = await client.execute(script)
    assert (answer.status, answer.error) == (502, "script_error")
    assert (answer.details["module"], answer.details["line"]) == ("deep", 3)
    logs = (await client.admin("GET", f"/scripts/{script['id']}/logs")).json["items"]
    assert logs[0]["error"]["module"] == "deep"


async def test_a_module_that_does_not_compile_any_more_is_named_with_its_place(
    client: Client, worker: Worker
) -> None:
    await module(client, "good", "fn n() { 1 }")
    script = await client.script('import "good" as good; good::n()')
    broken = "UPDATE scripts SET source = $1, version = version + 1 WHERE name = 'good'"
    for source, line in (("fn n() { 1 }\nfn m( { }", 2), ("fn n() { 1 }\n\nlet x = 1;", 3)):
        await worker.database.execute(broken, source)
        worker.generations.bump("scripts")
        answer = await client.execute(script)
        assert (answer.status, answer.error) == (422, "script_invalid")
        assert (answer.details["module"], answer.details["line"]) == ("good", line)
        assert answer.details["column"] >= 1


async def test_circular_imports_throw_and_are_reported_when_saved(client: Client) -> None:
    names = ["a", "b", "c"]
    for name, then in zip(names, ["b", "c", "a"], strict=True):
        await module(client, name, f'import "{then}" as next; fn n() {{ 1 }}')
    script = await client.script('import "a" as a; a::n()')
    status, message, details = await error(client, script)
    assert status == 502
    assert "imports itself" in message
    assert details["module"] in names
    (told,) = await imports(client, script)
    assert told["problem"].endswith(": a -> b -> c -> a")
    alone = await module(client, "alone", 'import "alone" as me; fn n() { 1 }')
    assert (await imports(client, alone))[0]["problem"].endswith(": alone -> alone")
    assert (await client.admin("DELETE", f"/scripts/{alone['id']}")).status == 204  # nobody else needs it


async def test_modules_can_import_each_other_inside_functions(client: Client) -> None:
    await module(client, "even", 'fn of(n) { if n == 0 { return true; } import "odd" as o; o::of(n - 1) }')
    await module(client, "odd", 'fn of(n) { if n == 0 { return false; } import "even" as e; e::of(n - 1) }')
    script = await client.script('import "even" as even; [even::of(4), even::of(7)]')
    assert (await client.execute(script)).json == [True, False]


@pytest.mark.parametrize(("depth", "status"), [(8, 200), (9, 502)])
async def test_modules_nest_as_deep_as_the_limit_says(client: Client, depth: int, status: int) -> None:
    await module(client, f"m{depth}", "fn n() { 1 }")
    for level in range(depth - 1, 0, -1):
        await module(client, f"m{level}", f'import "m{level + 1}" as m; fn n() {{ m::n() + 1 }}')
    answer = await client.execute(await client.script('import "m1" as m; m::n()'))
    assert answer.status == status, answer.body
    assert answer.json == depth if status == 200 else "max_import_depth" in answer.json["error"]["message"]


async def test_modules_of_more_than_four_mebibytes_in_total_are_rejected(client: Client) -> None:
    padding = "//" + "x" * (1000 * 1024)
    names = [f"m{n}" for n in range(5)]
    for name in names:
        await module(client, name, f"fn n() {{ 1 }}\n{padding}")
    lines = [f'import "{name}" as {name};' for name in names]
    fits = await client.script("".join([*lines[:4], "m0::n()"]), name="fits")
    assert (await client.execute(fits)).json == 1
    script = await client.script("".join([*lines, "m0::n()"]))
    answer = await client.execute(script)
    assert (answer.status, answer.error) == (422, "script_invalid")
    assert "4194304" in answer.json["error"]["message"]
    logs = (await client.admin("GET", f"/scripts/{script['id']}/logs")).json["items"]
    assert (logs[0]["outcome"], logs[0]["error"]["message"]) == (
        "script_invalid",
        answer.json["error"]["message"],
    )


async def test_more_than_256_modules_are_rejected(client: Client, worker: Worker) -> None:
    many = "".join(f'import "m{n}" as m;' for n in range(257))
    answer = await client.admin("POST", "/apps/default/scripts", {"name": "many", "source": many})
    assert (answer.status, answer.details["ceiling"]) == (422, 256)
    app = (await client.admin("GET", "/apps/default")).json["id"]
    await worker.database.execute(
        "INSERT INTO scripts (app_id, id, name, kind, version, source) "
        "SELECT $1, gen_random_uuid(), 'm' || n, 'module', 1, 'fn n() { 1 }' FROM generate_series(0, 256) n",
        app,
    )
    await module(client, "half", many.split(";", 200)[200])
    script = await client.script(
        "".join(many.split(";")[n] + ";" for n in range(200)) + 'import "half" as h; 1'
    )
    answer = await client.execute(script)
    assert (answer.status, answer.error) == (422, "script_invalid")
    assert "256 modules" in answer.json["error"]["message"]
    await worker.database.execute("DELETE FROM scripts WHERE name = 'm256' OR name = 'm255'")
    worker.generations.bump("scripts")
    assert (await client.execute(script)).status == 502  # it runs, and finds them missing


async def test_imports_are_listed_with_their_scripts(client: Client) -> None:
    lib = await module(client, "lib", "fn n() { 1 }")
    lib = await patch(client, lib, source="fn n() { 2 }")
    other = await client.script("1", name="other")
    names = ("lib", "other", "nobody", "my-lib", "kv")
    source = "".join(f'import "{name}" as m{n};' for n, name in enumerate(names))
    source += f'import "{"x" * 200}" as long; import "a\\x00b" as nul; import "" as none;'
    source += 'let named = "lib"; import named as d;'
    script = await client.script(source)
    there = {"script_id": lib["id"], "version": 2, "kind": "module", "problem": None}
    gone = {"script_id": None, "version": None, "kind": None}
    found = {one.pop("name"): one for one in await imports(client, script)}
    assert list(found) == sorted(names)
    assert found["lib"] == there
    assert found["nobody"] == {**gone, "problem": MISSING}
    assert (found["other"]["script_id"], found["other"]["kind"]) == (other["id"], "endpoint")
    assert "endpoint" in found["other"]["problem"]
    assert "letters" in found["my-lib"]["problem"]
    assert "namespace" in found["kv"]["problem"]
    checked = await client.admin("POST", "/apps/default/scripts:validate", {"source": source})
    assert {one["name"]: one["problem"] for one in checked.json["imports"]} == {
        name: one["problem"] for name, one in found.items()
    }
    assert await importers(client, lib) == ["script"]
    assert await importers(client, script) == []


async def test_imports_follow_every_save(client: Client) -> None:
    lib = await module(client, "lib", "fn n() { 1 }")
    script = await client.script('import "lib" as l; 1')
    await patch(client, script, source='fn f() { import "more" as m; 1 } f()')
    assert [one["name"] for one in await imports(client, script)] == ["more"]
    assert await importers(client, lib) == []
    path = f"/scripts/{script['id']}/versions/1:restore"
    assert (await client.admin("POST", path, {})).status == 200
    assert [one["name"] for one in await imports(client, script)] == ["lib"]
    assert await importers(client, lib) == ["script"]
    refused = await client.admin("PATCH", f"/scripts/{script['id']}", {"source": "let x = ;"})
    assert refused.status == 422
    assert await importers(client, lib) == ["script"]
    assert (await client.admin("DELETE", f"/scripts/{script['id']}")).status == 204
    assert await importers(client, lib) == []


async def test_a_module_that_is_imported_is_deleted_or_renamed_with_force_only(client: Client) -> None:
    lib = await module(client, "lib", "fn n() { 1 }")
    user = await client.script('import "lib" as l; l::n()', name="user")
    path = f"/scripts/{lib['id']}"
    for answer in (
        await client.admin("DELETE", path),
        await client.admin("PATCH", path, {"name": "lib2"}),
        await client.admin("PATCH", path, {"name": "lib2", "kind": "endpoint"}),
    ):
        assert (answer.status, answer.error) == (409, "conflict")
        assert answer.details["imported_by"] == [{"id": user["id"], "name": "user", "kind": "endpoint"}]
    assert (await client.execute(user)).json == 1
    await patch(client, lib, description="still there")
    assert (await patch(client, lib, "?force=true", name="lib2"))["name"] == "lib2"
    assert (await error(client, user))[1] == f"{MISSING}: lib"
    await patch(client, lib, name="lib")  # nobody imports lib2
    assert (await client.execute(user)).json == 1
    assert (await client.admin("DELETE", f"{path}?force=true")).status == 204
    assert (await error(client, user))[1] == f"{MISSING}: lib"


async def test_a_module_can_become_an_endpoint(client: Client) -> None:
    lib = await module(client, "lib", "fn n() { 1 }")
    user = await client.script('import "lib" as l; l::n()', name="user")
    assert (await client.execute(lib)).status == 422
    await patch(client, lib, kind="endpoint")
    assert (await error(client, user))[0] == 502
    assert "endpoint" in (await imports(client, user))[0]["problem"]
    await patch(client, lib, kind="module")
    assert (await client.execute(user)).json == 1


async def test_an_import_finds_the_module_of_its_own_app_only(client: Client) -> None:
    scripts = {}
    for app in ("red", "blue", "grey"):
        assert (await client.admin("POST", "/apps", {"slug": app, "name": app})).status == 201
        scripts[app] = await client.script('import "lib" as l; l::n()', app=app)
    for app in ("red", "blue"):
        await module(client, "lib", f'fn n() {{ "{app}" }}', app)
    answers = await asyncio.gather(*(client.execute(scripts[app]) for app in ("red", "blue") * 4))
    assert [answer.json for answer in answers] == ["red", "blue"] * 4
    assert (await error(client, scripts["grey"]))[:2] == (502, f"{MISSING}: lib")
    for app in ("red", "blue"):
        (told,) = await imports(client, scripts[app])
        assert told["problem"] is None
    assert (await imports(client, scripts["grey"]))[0]["script_id"] is None
