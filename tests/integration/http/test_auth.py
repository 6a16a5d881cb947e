"""Promises of log in, sessions over HTTP, and the first start."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.conftest import PASSWORD, Worker
from tests.integration.http.conftest import OWNER, Client


async def log_in(
    client: Client, username: str = OWNER, password: str = PASSWORD
) -> tuple[int, dict[str, object]]:
    answer = await client.admin(
        "POST", "/auth/login", {"username": username, "password": password}, headers={}
    )
    return answer.status, answer.json


async def test_a_login_returns_a_token_of_the_user(client: Client) -> None:
    client.token = None
    status, session = await log_in(client, OWNER.upper())
    assert status == 200
    assert set(session) == {"token", "expires_at", "user"}
    client.token = session["token"]
    me = (await client.admin("GET", "/auth/me")).json
    assert me == {
        **session["user"],
        "principal": "user",
        "key": None,
        "capabilities": ["instance.create_app", "instance.manage_users", "instance.manage_settings"],
    }
    assert me["role"] == "owner"


async def test_a_logout_ends_that_session_at_once_and_no_other(client: Client) -> None:
    other = client.token
    client.token = (await log_in(client))[1]["token"]
    assert (await client.admin("GET", "/auth/me")).status == 200
    assert (await client.admin("POST", "/auth/logout")).status == 204
    assert (await client.admin("GET", "/auth/me")).status == 401
    client.token = other
    assert (await client.admin("GET", "/auth/me")).status == 200


async def test_wrong_names_and_wrong_passwords_get_the_same_response(client: Client) -> None:
    client.token = None
    answers = [
        (await log_in(client, username, password))
        for username, password in (
            (OWNER, "wrong password"),
            ("nobody", PASSWORD),
            ("\u00fc", "x"),
            (OWNER, "x" * 300),
        )
    ]
    assert {status for status, _ in answers} == {401}
    assert len({body["error"]["message"] for _, body in answers}) == 1


async def test_guessing_is_slowed_down_and_says_for_how_long(client: Client) -> None:
    client.token = None
    answers = await asyncio.gather(*(log_in(client, password="wrong password") for _ in range(12)))
    assert [status for status, _ in answers].count(401) <= 6
    assert {status for status, _ in answers} == {401, 429}
    refused = await client.admin("POST", "/auth/login", {"username": OWNER, "password": PASSWORD})
    assert (refused.status, refused.error) == (429, "throttled")
    assert int(refused.headers["Retry-After"]) >= 1


async def test_the_setup_link_creates_the_owner_once(anyone: Client, worker: Worker) -> None:
    token = await worker.platform.setup.create_link()
    page = await anyone("GET", f"/admin/setup?token={token}")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "'unsafe-inline'" not in policy
    assert policy.count("'sha256-") == 2
    body = {"token": token, "username": "grace", "password": "amazing grace"}
    short = await anyone.admin("POST", "/auth/setup", {**body, "password": "short"})
    assert (short.status, short.details["field"]) == (422, "password")
    answers = await asyncio.gather(*(anyone.admin("POST", "/auth/setup", body) for _ in range(3)))
    assert sorted(answer.status for answer in answers) == [201, 410, 410]
    assert (await anyone("GET", f"/admin/setup?token={token}")).status == 410
    made = next(answer for answer in answers if answer.status == 201)
    anyone.token = made.json["token"]
    assert (await anyone.admin("GET", "/auth/me")).json["username"] == "grace"


@pytest.mark.parametrize("token", ["", "wrong", "%00", "x" * 5000])
async def test_a_wrong_setup_link_shows_that_it_is_not_valid(
    anyone: Client, worker: Worker, token: str
) -> None:
    await worker.platform.setup.create_link()
    page = await anyone("GET", f"/admin/setup?token={token}")
    assert page.status == 410
    assert b"not valid" in page.body
    refused = await anyone.admin(
        "POST", "/auth/setup", {"token": token, "username": "eve", "password": "x" * 20}
    )
    assert (refused.status, refused.error) == (410, "setup_over")
