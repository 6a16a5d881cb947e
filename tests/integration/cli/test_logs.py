"""`picloud logs`, also during executions and restarts of the server."""

from __future__ import annotations

import asyncio
import json
import sys

from picloud.cli.exits import INTERRUPTED
from tests.integration.cli.conftest import Shell
from tests.integration.conftest import Worker
from tests.integration.http.conftest import Client, serving

DEFAULT = ("--app", "default")


async def test_executions_are_shown_oldest_first_with_their_log_lines(shell: Shell, client: Client) -> None:
    script = await client.script('print("say " + ctx.request.path); log::warn("x", #{a: 1}); throw "no"', "s")
    await client.route(script, "/one")
    await client.route(script, "/two")
    await client("GET", "/one")
    await client("GET", "/two")
    lines = (await shell.done("logs", *DEFAULT)).splitlines()
    assert "s v1  GET /one  502 script_error" in lines[0]
    assert lines[1:4] == ["    info say /one", '    warn x {"a": 1}', "    error no (line 1, column 60)"]
    assert "GET /two" in lines[4]
    assert len((await shell.done("logs", *DEFAULT, "--limit", "1")).splitlines()) == 4
    assert [one["request"]["path"] for one in (await shell("logs", *DEFAULT, "--json")).json] == [
        "/two",
        "/one",
    ]


async def test_only_those_of_a_script_or_an_outcome_are_shown(shell: Shell, client: Client) -> None:
    await client("GET", "/hello")
    await client.execute(await client.script('throw "no"', "bad"))
    of_script = (await shell("logs", *DEFAULT, "--script", "bad", "--json")).json
    assert [one["outcome"] for one in of_script] == ["script_error"]
    fine = (await shell("logs", *DEFAULT, "--outcome", "ok", "--json")).json
    assert [one["outcome"] for one in fine] == ["ok"]
    assert (await shell("logs", *DEFAULT, "--outcome", "fine")).code == 2


async def test_following_shows_each_execution_once_and_ends_with_130(shell: Shell, client: Client) -> None:
    await client("GET", "/hello")
    following = await shell.goes_on("logs", *DEFAULT, "--follow", "--json")
    await following.says("execution_id")
    ids = [(await client("GET", "/hello")).json["execution_id"] for _ in range(30)]
    await following.says(ids[-1])
    ids += [
        answer.json["execution_id"]
        for answer in await asyncio.gather(*(client("GET", "/hello") for _ in range(30)))
    ]
    for execution_id in ids:
        await following.says(execution_id)
    assert await following.interrupt() == INTERRUPTED
    shown = [json.loads(line)["execution_id"] for line in following.lines]
    assert len(shown) == len(set(shown)) == 61


async def test_following_survives_a_restart_of_the_server(
    shell: Shell, client: Client, worker: Worker
) -> None:
    script = await client.script('print("hi"); 1', "s")
    async with serving(worker) as first:
        shell.url = f"http://localhost:{first.port}"
        key = (
            await shell.done("keys", "create", "x", "--scope", "script:read", "--scope", "log:read")
        ).strip()
        shell.variables = {"PICLOUD_URL": shell.url, "PICLOUD_TOKEN": key}
        following = await shell.goes_on("logs", *DEFAULT, "--follow")
        await client.execute(script)
        await following.says("info hi")
    await following.says("retrying")
    await client.execute(script)
    async with serving(worker, port=first.port):
        await following.says("connected again")
        await following.says("info hi", times=2)
        await client.execute(script)
        await following.says("info hi", times=3)
        assert await following.interrupt() == INTERRUPTED
    assert sum("info hi" in line for line in following.lines) == 3


async def test_a_closed_pipe_prints_no_error(shell: Shell, client: Client) -> None:
    for _ in range(3):
        await client("GET", "/hello")
    process = await asyncio.create_subprocess_shell(
        f"{sys.executable} -m picloud logs --app default --json --url {shell.url} | head -1",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=shell.environment(),
    )
    out, err = await process.communicate()
    assert (out, err) == (b"[\n", b"")


async def test_outbound_calls_are_shown_with_decision_and_result(
    shell: Shell, client: Client, worker: Worker
) -> None:
    await client("GET", "/hello")
    await shell.done("logs", *DEFAULT)  # it is written
    common = {"method": "GET", "hops": 0, "ms": 12.34, "bytes_out": 0, "bytes_in": 7, "error": None}
    calls = [
        common | {"host": "api.example:8443", "category": "allowed", "status": 200, "hops": 1},
        common | {"host": "slow.example", "category": "allowed", "status": None, "error": "timeout"},
        common | {"host": "10.0.0.1", "category": "private address", "status": None},
        common | {"method": "", "host": "", "category": "not a URL\x1b[2J", "status": None},
    ]
    await worker.database.execute("UPDATE execution_logs SET outbound = $1, outbound_dropped = 3", calls)
    lines = (await shell.done("logs", *DEFAULT)).splitlines()
    assert lines[1:] == [
        "    http GET api.example:8443  200  1 redirect, 12.3 ms, 0 bytes out, 7 in",
        "    http GET slow.example  timeout  12.3 ms, 0 bytes out, 7 in",
        "    http GET 10.0.0.1  denied: private address",
        "    http ?  denied: not a URL\\x1b[2J",
        "    (3 more calls were not recorded)",
    ]
    assert (await shell("logs", *DEFAULT, "--json")).json[0]["outbound"] == calls
