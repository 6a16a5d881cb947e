"""The API against its OpenAPI document: schemathesis generates valid and invalid requests."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from picloud.http.open_streams import StreamRules
from picloud.identity.capabilities import SCOPES
from tests.integration.conftest import PASSWORD, Worker
from tests.integration.http.conftest import Client, serving

pytestmark = pytest.mark.slow

# Every check of schemathesis but these:
# - what is good by its shape may still be refused: a source that does not parse, a name that is taken;
# - in the one path that has two names, it takes for its own garbage what it was told to put there.
CONFIG = """
[checks]
positive_data_acceptance.enabled = false

[[operations]]
include-operation-id = "versions.get"
checks.negative_data_rejection.enabled = false

[parameters]
"""


async def run(
    worker: Worker, folder: Path, key: str | None, known: dict[str, str], phases: str, examples: int = 5
) -> None:
    """Let schemathesis try everything that is described.

    Args:
        worker: whose server is called; it opens no stream (429), because schemathesis reads to the end.
        folder: for its configuration.
        key: who calls, or None for no credentials.
        known: what names in paths stand for, so that calls reach what exists.
        phases: some of examples, coverage and fuzzing.
        examples: how many requests fuzzing makes of each operation.
    """
    config = folder / "schemathesis.toml"
    lines = [f'"path.{name}" = {json.dumps(value)}' for name, value in known.items()]
    config.write_text(CONFIG + "\n".join(lines))
    headers = ("--header", f"Authorization: Bearer {key}") if key is not None else ()
    async with serving(worker, streams=StreamRules(streams_per_app=0)) as server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"),
            f"http://localhost:{server.port}/api/v1/openapi.json",
            *("--phases", phases, "--max-examples", str(examples)),
            *("--generation-deterministic", "--no-shrink", "--continue-on-failure"),
            *("--suppress-health-check", "all", "--warnings", "off", *headers),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=folder,
        )
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


async def some_of_everything(client: Client, worker: Worker) -> dict[str, str]:
    """Make one thing of each kind, for calls to find."""
    script = await client.script('"x"', name="probe")
    route = await client.route(script, "/probe")
    domain = await client.admin("POST", "/apps/default/domains", {"pattern": "probe.example"})
    execution = await client.execute(script)
    document = await client.admin("POST", "/apps/default/docs/things", {"data": {"n": 1}})
    await client.admin("PUT", "/apps/default/kv/things/k", {"value": 1})
    await client.admin("PUT", "/apps/default/vars/GREETING", {"value": "hello"})
    return {
        "app": "default",
        "collection": "things",
        "entry": "k",
        "variable": "GREETING",
        "document": document.json["id"],
        "file": await worker.file("default", "things"),
        "script": script["id"],
        "script_id": script["id"],
        "route": route["id"],
        "domain": domain.json["id"],
        "execution": execution.headers["X-Execution-Id"],
    }


async def key_of(client: Client) -> str:
    """Make a key of whoever the client is."""
    made = await client.admin("POST", "/api-keys", {"name": "all", "scopes": [*SCOPES]})
    assert made.status == 201, made.body
    return str(made.json["key"])


async def test_an_owner_finds_only_what_is_described(client: Client, worker: Worker, tmp_path: Path) -> None:
    known = await some_of_everything(client, worker)
    await run(worker, tmp_path, await key_of(client), known, "examples,coverage,fuzzing")


async def test_a_viewer_finds_only_what_is_described(client: Client, worker: Worker, tmp_path: Path) -> None:
    known = await some_of_everything(client, worker)
    viewer = await client.admin("POST", "/users", {"username": "vera", "password": PASSWORD})
    await client.admin("PUT", f"/apps/default/members/{viewer.json['id']}", {"role": "viewer"})
    login = await client.admin("POST", "/auth/login", {"username": "vera", "password": PASSWORD})
    client.token = login.json["token"]
    known["user"] = viewer.json["id"]
    await run(worker, tmp_path, await key_of(client), known, "examples,coverage,fuzzing")


@pytest.mark.usefixtures("client")
async def test_an_anonymous_caller_finds_only_what_is_described(worker: Worker, tmp_path: Path) -> None:
    await run(worker, tmp_path, None, {}, "coverage")
