"""Promises of the admin API: settings of apps."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from tests.integration.conftest import Worker
from tests.integration.http.conftest import Answer, Client

PATH = "/apps/default/settings"
ORIGIN = "https://pages.example"


async def change(client: Client, cors: object) -> Answer:
    return await client.admin("PATCH", PATH, {"cors": cors})


async def preflight(client: Client) -> Answer:
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    return await client("OPTIONS", "/hello", headers=headers)


async def test_a_change_is_shown_and_applies_to_the_next_request(client: Client) -> None:
    assert (await client.admin("GET", PATH)).json["cors"] is None
    assert "Access-Control-Allow-Origin" not in (await preflight(client)).headers
    changed = await change(client, {"origins": ["https://Pages.Example:443"]})
    assert (changed.status, changed.json["cors"]["origins"]) == (200, [ORIGIN])
    assert (await preflight(client)).headers["Access-Control-Allow-Origin"] == ORIGIN
    assert (await client.admin("GET", PATH)).json == changed.json
    assert (await change(client, None)).json["cors"] is None
    assert "Access-Control-Allow-Origin" not in (await preflight(client)).headers


async def test_a_patch_is_merged_field_by_field(client: Client) -> None:
    await change(client, {"origins": [ORIGIN], "max_age_seconds": 5, "methods": ["get"]})
    cors = (await change(client, {"credentials": True})).json["cors"]
    assert (cors["origins"], cors["max_age_seconds"], cors["methods"], cors["credentials"]) == (
        [ORIGIN],
        5,
        ["GET"],
        True,
    )
    back = (await change(client, {"max_age_seconds": None, "credentials": None})).json["cors"]
    assert (back["max_age_seconds"], back["credentials"], back["methods"]) == (600, False, ["GET"])
    assert (await client.admin("PATCH", PATH, {})).json["cors"] == back


async def test_changes_at_once_all_count(client: Client) -> None:
    await change(client, {"origins": [ORIGIN]})
    await asyncio.gather(
        *(
            change(client, fields)
            for fields in ({"credentials": True}, {"max_age_seconds": 7}, {"methods": ["PUT"]})
        )
    )
    cors = (await client.admin("GET", PATH)).json["cors"]
    assert (cors["credentials"], cors["max_age_seconds"], cors["methods"]) == (True, 7, ["PUT"])


@pytest.mark.parametrize(
    ("cors", "where"),
    [
        ({}, "cors.origins"),
        ({"origins": None}, "cors.origins"),
        ({"origins": []}, "cors.origins"),
        ({"origins": ["pages.example"]}, "cors.origins"),
        ({"origins": ["https://a.example/path"]}, "cors.origins"),
        ({"origins": [1]}, "cors.origins.0"),
        ({"origins": ["*"], "credentials": True}, "cors.origins"),
        ({"origins": ["*"], "methods": ["BREW"]}, "cors.methods"),
        ({"origins": ["*"], "headers": ["a b"]}, "cors.headers"),
        ({"origins": ["*"], "max_age_seconds": -1}, "cors.max_age_seconds"),
        ({"origins": ["*"], "max_age_seconds": 10**30}, "cors.max_age_seconds"),
        ({"origin": ["*"]}, "cors.origin"),
        ([], "cors"),
    ],
)
async def test_an_invalid_setting_is_422_with_the_field(client: Client, cors: object, where: str) -> None:
    answer = await change(client, cors)
    assert (answer.status, answer.details["field"]) == (422, where)
    assert (await client.admin("GET", PATH)).json["cors"] is None


async def test_a_change_is_in_the_audit_log(client: Client, worker: Worker) -> None:
    app = (await client.admin("GET", "/apps/default")).json
    await change(client, {"origins": [ORIGIN]})
    (row,) = await worker.database.fetch(
        "SELECT app_id, before, after FROM audit_log WHERE action = 'settings.update'"
    )
    assert row["app_id"] == UUID(app["id"])
    assert (row["before"]["cors"], row["after"]["cors"]["origins"]) == (None, [ORIGIN])
