"""`picloud sessions` and `picloud settings`."""

from __future__ import annotations

from uuid import uuid4

from picloud.cli.exits import NOT_ALLOWED, NOT_FOUND, WRONG_USE
from tests.integration.cli.conftest import Shell
from tests.integration.conftest import PASSWORD, Worker
from tests.integration.http.conftest import OWNER, Client

DEFAULT = ("--app", "default")
TYPED = f"{PASSWORD}\n"


async def test_sessions_are_listed_without_the_commands_own_and_one_is_ended(
    shell: Shell, client: Client, worker: Worker
) -> None:
    owner = await worker.platform.accounts.get(OWNER)
    stolen = await worker.session_of(owner)
    listed = (await shell("sessions", "list", "--json", typed=TYPED)).json
    assert len(listed) == 2
    assert not any(one["is_current"] for one in listed)
    seen = await shell.done("sessions", "list", typed=TYPED)
    assert [line.split()[0] for line in seen.splitlines()] == ["id", *(one["id"] for one in listed)]
    ended = await shell("sessions", "revoke", listed[-1]["id"], "--yes", typed=TYPED)
    assert (ended.code, "1" in ended.out) == (0, True)
    assert (await client.admin("GET", "/auth/me")).status == 200
    client.token = stolen
    assert (await client.admin("GET", "/auth/me")).status == 401
    again = await shell("sessions", "revoke", listed[-1]["id"], "--yes", "--json", typed=TYPED)
    assert (again.code, again.error["code"]) == (NOT_FOUND, "not_found")


async def test_all_sessions_are_ended_and_keys_stay(shell: Shell, client: Client, worker: Worker) -> None:
    ended = await shell("sessions", "revoke", "--all", "--yes", "--json", typed=TYPED)
    assert len(ended.json["revoked"]) == 1
    assert (await client.admin("GET", "/auth/me")).status == 401
    assert await worker.database.fetchval("SELECT count(*) FROM admin_sessions") == 0
    assert (await shell("whoami")).code == 0


async def test_sessions_need_the_password_and_a_choice_and_a_confirmation(shell: Shell) -> None:
    assert (await shell("sessions", "list", typed="a wrong guess\n")).code == NOT_ALLOWED
    assert (await shell("sessions", "list")).code == WRONG_USE
    for words in ((), (str(uuid4()), "--all")):
        ended = await shell("sessions", "revoke", *words, "--yes", typed=TYPED)
        assert (ended.code, "--all" in ended.err) == (WRONG_USE, True)
    unconfirmed = await shell("sessions", "revoke", "--all", typed=TYPED)
    assert (unconfirmed.code, "--yes" in unconfirmed.err) == (WRONG_USE, True)


async def test_settings_are_shown_updated_by_field_and_removed(shell: Shell) -> None:
    assert "CORS" in await shell.done("settings", "show", *DEFAULT)
    origins = ("--origin", "https://a.example", "--origin", "https://b.example")
    change = (*origins, "--method", "GET", "--header", "x-a", "--expose", "etag", "--credentials", "yes")
    changed = (await shell("settings", "update", *DEFAULT, *change, "--max-age", "60", "--json")).json
    assert changed["cors"] == {
        "origins": ["https://a.example", "https://b.example"],
        "methods": ["GET"],
        "headers": ["x-a"],
        "expose_headers": ["etag"],
        "credentials": True,
        "max_age_seconds": 60,
    }
    part = ("--credentials", "no", "--reset", "methods", "--reset", "max_age_seconds")
    shown = await shell.done("settings", "update", *DEFAULT, *part)
    assert {line.split()[0]: line.split()[1] for line in shown.splitlines()} == {
        "origins": "https://a.example,",
        "methods": "GET,",
        "headers": "x-a",
        "expose_headers": "etag",
        "credentials": "no",
        "max_age_seconds": "600",
        "record_bodies": "errors",
        "public_errors": "no",
    }
    assert (await shell("settings", "show", *DEFAULT, "--json")).json["cors"]["headers"] == ["x-a"]
    assert (await shell("settings", "update", *DEFAULT, "--no-cors", "--json")).json["cors"] is None


async def test_invalid_settings_are_rejected(shell: Shell) -> None:
    for words, message in (
        ((), "--origin"),
        (("--no-cors", "--method", "GET"), "--no-cors"),
        (("--method", "GET"), "origins"),
        (("--origin", "nonsense"), "origins"),
        (("--origin", "*", "--credentials", "yes"), "credentials"),
    ):
        ended = await shell("settings", "update", *DEFAULT, *words)
        assert (ended.code, message in ended.err) == (WRONG_USE, True), ended.err
