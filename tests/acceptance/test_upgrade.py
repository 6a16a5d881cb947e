"""Data written by an older PiCloud opens under this one, with everything there.

`upgrade/0013/` is what a server of schema version 13 left behind: its database as SQL, and the bytes of its
files. Its users are ada (owner) and grace (editor of the app shop).
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import connect
from tests.acceptance.running import Answer, Server

OLD = Path(__file__).with_name("upgrade") / "0013"
KEY = "pic_yi6nojzjrxuianamovwhs7nijflptu2phs5uxzxempf5fmy3ycha"
SHOP = "/api/v1/admin/apps/shop"
FIRST = "01a22d98-17aa-723c-b448-4a1bdd4b0093"


@pytest.fixture
def server(empty_database: ConnectionParameters, tmp_path: Path) -> Iterator[Server]:
    """A server on a copy of the old data."""
    asyncio.run(_restore(empty_database))
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    shutil.copytree(OLD / "files", folder / "files")
    forever = {"PICLOUD_EXECUTION_RETENTION_DAYS": "0", "PICLOUD_AUDIT_RETENTION_DAYS": "0"}
    with Server(folder, variables={"PICLOUD_DATABASE_URL": empty_database.url, **forever}) as server:
        yield server


async def _restore(parameters: ConnectionParameters) -> None:
    connection = await connect(parameters)
    try:
        await connection.execute((OLD / "database.sql").read_text("utf-8"))
    finally:
        await connection.close()


def _log_in(server: Server, username: str, password: str) -> str:
    body = {"username": username, "password": password}
    answer = server.request("POST", "/api/v1/admin/auth/login", body)
    assert answer.status == 200, answer.body
    return str(answer.json["token"])


def test_everything_of_the_older_version_is_there(server: Server) -> None:
    ada, grace = _log_in(server, "ada", "a long password"), _log_in(server, "grace", "another password")

    def get(path: str, token: str = ada) -> Answer:
        answer = server.request("GET", path, token=token)
        assert answer.status == 200, (path, answer.body)
        return answer

    def items(path: str) -> list[dict[str, object]]:
        return list(get(path).json["items"])

    # Users, roles, memberships, keys.
    users = {user["username"]: (user["role"], user["email"]) for user in items("/api/v1/admin/users")}
    assert users == {"ada": ("owner", None), "grace": ("member", "grace@example.com")}
    assert [app["slug"] for app in get("/api/v1/admin/apps", grace).json["items"]] == ["shop"]
    assert get("/api/v1/admin/auth/me", KEY).json["username"] == "ada"

    # Scripts with their versions, routes, domains.
    scripts = {str(script["name"]): script for script in items(f"{SHOP}/scripts")}
    assert {name: (one["kind"], one["version"]) for name, one in scripts.items()} == {
        "visits": ("endpoint", 2),
        "prices": ("module", 1),
    }
    versions = items(f"/api/v1/admin/scripts/{scripts['visits']['id']}/versions")
    assert [(one["version"], one["message"]) for one in versions] == [(2, "second version"), (1, "")]
    assert [route["path"] for route in items(f"{SHOP}/routes")] == ["/visits"]
    assert [domain["pattern"] for domain in items(f"{SHOP}/domains")] == ["shop.example.com"]

    # What the app stores.
    deep = get(f"{SHOP}/kv/settings/deep").json["value"]
    assert deep == {"list": [1, 2.5, "x", True], "text": "Grüße"}
    assert get(f"{SHOP}/kv/settings/short").json["expires_at"] is not None
    assert get(f"{SHOP}/docs/orders/{FIRST}").json["data"] == {
        "n": 4,
        "who": "grace",
        "items": [{"sku": "A"}],
    }
    pictures = items(f"{SHOP}/files/pictures")
    assert [picture["name"] for picture in pictures] == ["a.txt"] * 3
    assert get(f"{SHOP}/files/pictures/{pictures[0]['id']}/content").body == b"the bytes"

    # What happened.
    outcomes = [one["outcome"] for one in items(f"{SHOP}/executions")]
    assert outcomes == ["ok"] * 5
    assert "script.update" in {entry["action"] for entry in items("/api/v1/admin/audit")}

    # The script runs on the data of before.
    called = server.request("POST", "http://shop.example.com/visits")
    assert (called.status, called.json["n"], called.json["limit"]) == (200, 6, 5)
