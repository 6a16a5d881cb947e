"""Sessions over HTTP: cookies, origin checks, and attacks with tokens."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from picloud.http.admin import endpoint
from picloud.http.edge.request_body import read_body
from picloud.identity.tokens import SESSION_COOKIE, SESSION_COOKIE_SECURE
from tests.integration.conftest import PASSWORD, Worker
from tests.integration.http.conftest import ADMIN, OWNER, Answer, Client, serving

LOGIN = {"username": OWNER, "password": PASSWORD}
NEW = "battery staple"


@pytest.fixture
async def browser(client: Client) -> Client:
    """The owner's instance, seen by a client without a token."""
    client.token = None
    return client


async def log_in(client: Client, **headers: str) -> Answer:
    return await client.admin("POST", "/auth/login", {**LOGIN, "cookie": True}, headers=headers)


def cookie_of(answer: Answer) -> tuple[str, str, set[str]]:
    """Name, value and flags of the one cookie an answer sets."""
    (line,) = answer.headers.getall("Set-Cookie")
    pair, *flags = [part.strip() for part in line.split(";")]
    name, _, value = pair.partition("=")
    return name, value, set(flags)


async def test_a_login_with_a_cookie_gives_the_token_to_the_cookie_only(browser: Client) -> None:
    answer = await log_in(browser)
    assert answer.status == 200
    name, value, flags = cookie_of(answer)
    assert (name, answer.json["token"]) == (SESSION_COOKIE, None)
    assert value.encode() not in answer.body
    assert flags == {"Path=/", "Max-Age=2592000", "HttpOnly", "SameSite=Lax"}
    me = await browser.admin("GET", "/auth/me", headers={"Cookie": f"{name}={value}"})
    assert me.json["username"] == OWNER


async def test_a_login_without_a_cookie_sets_none(browser: Client) -> None:
    answer = await browser.admin("POST", "/auth/login", LOGIN)
    assert "Set-Cookie" not in answer.headers


async def test_a_logout_ends_the_session_and_clears_the_cookie(browser: Client) -> None:
    name, value, _ = cookie_of(await log_in(browser))
    headers = {"Cookie": f"{name}={value}", "Sec-Fetch-Site": "same-origin"}
    answer = await browser.admin("POST", "/auth/logout", headers=headers)
    assert answer.status == 204
    assert cookie_of(answer)[:2] == (SESSION_COOKIE, "")
    assert "Max-Age=0" in cookie_of(answer)[2]
    assert (await browser.admin("GET", "/auth/me", headers=headers)).status == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 201),
        ({"Origin": "http://localhost"}, 201),
        ({}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "https://localhost"}, 403),
        ({"Origin": "http://localhost:81"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
async def test_a_cookie_writes_for_pages_of_its_own_origin_only(
    browser: Client, headers: dict[str, str], status: int
) -> None:
    name, value, _ = cookie_of(await log_in(browser))
    cookie = {"Cookie": f"{name}={value}"}
    body = {"slug": "shop", "name": "Shop"}
    assert (await browser.admin("POST", "/apps", body, headers={**cookie, **headers})).status == status
    assert (await browser.admin("GET", "/apps", headers={**cookie, **headers})).status == 200


async def test_a_write_of_another_page_is_on_record(browser: Client, worker: Worker) -> None:
    name, value, _ = cookie_of(await log_in(browser))
    headers = {"Cookie": f"{name}={value}", "Sec-Fetch-Site": "cross-site"}
    assert (await browser.admin("DELETE", "/apps/default", headers=headers)).status == 403
    refused = await worker.database.fetch(
        "SELECT username, action, reason FROM audit_log WHERE outcome = 'refused'"
    )
    assert [tuple(row) for row in refused] == [(OWNER, "app.delete", "forbidden")]


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}, {"Origin": "null"}]
)
async def test_a_page_of_another_origin_cannot_log_its_visitor_in(
    browser: Client, headers: dict[str, str]
) -> None:
    answer = await log_in(browser, **headers)
    assert answer.status == 403
    assert "Set-Cookie" not in answer.headers


async def test_over_https_only_the_cookie_counts_that_no_other_page_can_have_set(
    client: Client, worker: Worker
) -> None:
    async with serving(worker, trusted=(ip_network("127.0.0.0/8"),)) as browser:
        https = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
        name, value, flags = cookie_of(await log_in(browser, **https))
        assert name == SESSION_COOKIE_SECURE == "__Host-picloud_session"
        assert flags == {"Path=/", "Max-Age=2592000", "HttpOnly", "SameSite=Lax", "Secure"}
        for cookies, status in (
            (f"{name}={value}", 200),
            (f"{SESSION_COOKIE}={value}", 401),
            (f"{SESSION_COOKIE}=tossed; {name}={value}", 200),
        ):
            assert (
                await browser.admin("GET", "/auth/me", headers={**https, "Cookie": cookies})
            ).status == status
        for origin, status in (("https://localhost", 204), ("http://localhost", 403)):
            headers = {**https, "Cookie": f"{name}={value}", "Origin": origin}
            session = (await browser.admin("POST", "/auth/login", LOGIN)).json["token"]
            principal = await worker.platform.principals.of_token(session)
            assert principal is not None
            path = f"/auth/sessions/{principal.session_id}"
            assert (await browser.admin("DELETE", path, headers=headers)).status == status
    addresses = "SELECT array_agg(DISTINCT address) FROM admin_sessions"
    assert "192.0.2.7" in await worker.database.fetchval(addresses)


async def test_a_token_that_was_there_before_the_login_is_never_the_one_after(browser: Client) -> None:
    fixed = "pis_" + "A" * 43
    answer = await log_in(browser, Cookie=f"{SESSION_COOKIE}={fixed}")
    assert cookie_of(answer)[1] != fixed
    assert (
        await browser.admin("GET", "/auth/me", headers={"Authorization": f"Bearer {fixed}"})
    ).status == 401


async def test_a_token_in_the_url_or_in_a_body_counts_for_nothing(browser: Client, worker: Worker) -> None:
    token = (await browser.admin("POST", "/auth/login", LOGIN)).json["token"]
    for query in ("token", "access_token", "api_key", "key", "authorization"):
        assert (await browser.admin("GET", f"/auth/me?{query}={token}")).status == 401
    assert (await browser("GET", f"{ADMIN}/apps?Authorization=Bearer%20{token}")).status == 401
    assert (await browser.admin("POST", "/apps", {"token": token, "slug": "a", "name": "a"})).status == 401
    basic = {"Authorization": f"Basic {token}"}
    assert (await browser.admin("GET", "/auth/me", headers=basic)).status == 401


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer ", "Bearer pis_", "Bearer " + "x" * 6000, "Bearer pic_\xff"],
)
async def test_an_invalid_token_is_401(browser: Client, value: str) -> None:
    assert (await browser.admin("GET", "/auth/me", headers={"Authorization": value})).status == 401


@pytest.mark.parametrize("byte", [b"\x01", b"\x7f", b"\xff", b"\xc3\xa9"])
async def test_a_token_with_invalid_bytes_is_rejected(browser: Client, byte: bytes) -> None:
    for token in (b"pis_" + byte + b"A" * 42, b"pic_" + b"a" * 51 + byte):
        request = b"GET /api/v1/admin/auth/me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token
        status = (await browser.raw(request + b"\r\n\r\n")).split()[1]
        assert status in (b"400", b"401")


async def test_a_key_neither_opens_nor_ends_sessions_nor_changes_the_password(
    client: Client, worker: Worker
) -> None:
    ada = await worker.platform.accounts.get(OWNER)
    client.token = await worker.key_of(ada)
    sessions = (await worker.database.fetchval("SELECT array_agg(id) FROM admin_sessions"))[0]
    for method, path, body in (
        ("POST", "/auth/logout", None),
        ("POST", "/auth/password", {"current": PASSWORD, "password": NEW}),
        ("GET", "/auth/sessions", None),
        ("DELETE", f"/auth/sessions/{sessions}", None),
        ("PATCH", f"/users/{OWNER}", {"password": NEW}),
    ):
        answer = await client.admin(method, path, body)
        assert (answer.status, answer.error) == (403, "forbidden"), path
    me = (await client.admin("GET", "/auth/me")).json
    assert (me["principal"], me["key"]["app_id"], len(me["key"]["scopes"])) == ("api_key", None, 7)


async def test_a_user_lists_and_ends_their_own_sessions(client: Client, worker: Worker) -> None:
    other = (await client.admin("POST", "/auth/login", LOGIN, headers={"User-Agent": "phone"})).json["token"]
    listed = (await client.admin("GET", "/auth/sessions")).json["items"]
    assert [one["is_current"] for one in listed] == [True, False]
    assert (listed[1]["user_agent"], listed[1]["address"]) == ("phone", "127.0.0.1")
    assert set(listed[0]) == {
        "id", "created_at", "last_seen_at", "expires_at", "address", "user_agent", "is_current"
    }  # fmt: skip
    assert (await client.admin("DELETE", f"/auth/sessions/{listed[1]['id']}")).status == 204
    assert (await client.admin("DELETE", f"/auth/sessions/{listed[1]['id']}")).status == 404
    theirs = await worker.session_of(await worker.person("eve"))
    principal = await worker.platform.principals.of_token(theirs)
    assert principal is not None
    for path in (str(principal.session_id), "x", "%00"):
        assert (await client.admin("DELETE", f"/auth/sessions/{path}")).status == 404
    assert await worker.platform.principals.of_token(theirs) is not None
    mine, client.token = client.token, other
    assert (await client.admin("GET", "/auth/me")).status == 401
    client.token = mine
    assert (await client.admin("DELETE", f"/auth/sessions/{listed[0]['id']}")).status == 204
    assert (await client.admin("GET", "/auth/me")).status == 401


async def test_a_user_changes_their_password_with_the_current_one(client: Client) -> None:
    other = (await client.admin("POST", "/auth/login", LOGIN)).json["token"]
    wrong = await client.admin("POST", "/auth/password", {"current": "not the one", "password": NEW})
    assert (wrong.status, wrong.details) == (403, {"field": "current"})
    short = await client.admin("POST", "/auth/password", {"current": PASSWORD, "password": "x"})
    assert (short.status, short.details["field"]) == (422, "password")
    done = await client.admin("POST", "/auth/password", {"current": PASSWORD, "password": NEW})
    assert done.status == 204
    assert (await client.admin("GET", "/auth/me")).status == 200
    client.token = other
    assert (await client.admin("GET", "/auth/me")).status == 401


async def test_guessing_the_current_password_in_a_session_is_slowed_down(client: Client) -> None:
    body = {"current": "not the one", "password": NEW}
    statuses = [(await client.admin("POST", "/auth/password", body)).status for _ in range(8)]
    assert statuses[:6] == [403] * 6
    assert 429 in statuses[6:]


@pytest.mark.parametrize(
    ("ends", "path", "body", "status"),
    [
        ("key", "/api-keys", {"name": "again", "scopes": ["app:admin"]}, 401),
        ("session", "/api-keys", {"name": "again", "scopes": ["app:admin"]}, 401),
        ("membership", "/apps/shop/domains", {"pattern": "shop.example.com"}, 403),
    ],
)
async def test_a_session_that_ends_while_a_body_arrives_ends_the_call(
    client: Client,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
    ends: str,
    path: str,
    body: dict[str, object],
    status: int,
) -> None:
    vic = await worker.person("vic", app_id=await worker.app("shop"), app_role="app_admin")
    owner, token = f"Bearer {client.token}", await worker.session_of(vic)

    async def meanwhile(*arguments: Any) -> bytes:
        monkeypatch.setattr(endpoint, "read_body", read_body)
        if ends == "key":
            await worker.database.execute("DELETE FROM api_keys")
        elif ends == "session":
            await worker.database.execute("DELETE FROM admin_sessions WHERE user_id = $1", vic.id)
        undone = await client.admin("DELETE", "/apps/shop/members/vic", headers={"Authorization": owner})
        assert undone.status == 204
        return await read_body(*arguments)

    monkeypatch.setattr(endpoint, "read_body", meanwhile)
    client.token = await worker.key_of(vic, ["app:admin"]) if ends == "key" else token
    answer = await client.admin("POST", path, body)
    assert answer.status == status
    made = await worker.database.fetchval(
        "SELECT (SELECT count(*) FROM api_keys) + (SELECT count(*) FROM domains WHERE pattern <> 'localhost')"
    )
    assert made == 0
