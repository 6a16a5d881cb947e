"""Log in, log out, and the storage of the key."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest

from picloud.cli.exits import NOT_ALLOWED, UNREACHABLE, WRONG_USE
from tests.integration.cli.conftest import Shell
from tests.integration.conftest import PASSWORD, Worker
from tests.integration.http.conftest import ADMIN, OWNER, Client


async def _keys(client: Client) -> list[dict[str, object]]:
    return list((await client.admin("GET", "/api-keys")).json["items"])


async def test_a_login_creates_one_key_with_all_scopes_and_ends_its_session(
    stranger: Shell, client: Client
) -> None:
    sessions = len((await client.admin("GET", "/auth/sessions")).json["items"])
    said = await stranger.done("login", stranger.url, "--username", OWNER, typed=f"{PASSWORD}\n")
    assert all(part in said for part in (stranger.url, OWNER, str(stranger.credentials)))
    (key,) = await _keys(client)
    assert str(key["name"]).startswith("cli@")
    assert len(key["scopes"]) == 7  # type: ignore[arg-type]
    assert len((await client.admin("GET", "/auth/sessions")).json["items"]) == sessions
    assert stat.S_IMODE(stranger.credentials.stat().st_mode) == 0o600
    assert stat.S_IMODE(stranger.credentials.parent.stat().st_mode) == 0o700
    me = (await stranger("whoami", "--json")).json
    assert (me["username"], me["principal"], me["key"]["id"]) == (OWNER, "api_key", key["id"])


async def test_a_member_logs_in_without_the_scope_they_cannot_use(stranger: Shell, worker: Worker) -> None:
    await worker.person("bob", "member")
    await stranger.done("login", stranger.url, "--username", "bob", typed=f"{PASSWORD}\n")
    scopes = (await stranger("whoami", "--json")).json["key"]["scopes"]
    assert "instance:admin" not in scopes
    assert len(scopes) == 6


async def test_logging_in_again_leaves_one_key(shell: Shell, client: Client) -> None:
    (before,) = await _keys(client)
    await shell.done("login", shell.url, "--username", OWNER, typed=f"{PASSWORD}\n")
    (after,) = await _keys(client)
    assert before["id"] != after["id"]
    assert (await shell("whoami")).code == 0


async def test_a_logout_revokes_and_deletes_the_key(shell: Shell, client: Client) -> None:
    (login,) = tomllib.loads(shell.credentials.read_text())["logins"].values()
    assert "revoked" in await shell.done("logout")
    assert await _keys(client) == []
    assert login["key"] not in shell.credentials.read_text()
    headers = {"Authorization": f"Bearer {login['key']}"}
    assert (await client("GET", f"{ADMIN}/auth/me", headers=headers)).status == 401
    assert (await shell("apps", "list", "--url", shell.url)).code == NOT_ALLOWED
    assert (await shell("logout", shell.url)).code == NOT_ALLOWED


async def test_a_user_changes_their_password_and_stays_logged_in(shell: Shell, client: Client) -> None:
    ended = await shell("password", typed="wrong but long\none that is new\n")
    assert (ended.code, ended.err.count("\n")) == (NOT_ALLOWED, 1)
    assert (await shell("password", typed=f"{PASSWORD}\n")).code == WRONG_USE
    ended = await shell("password", typed=f"{PASSWORD}\nshort\n")
    assert (ended.code, "256" in ended.err) == (WRONG_USE, True)
    said = await shell.done("password", typed=f"{PASSWORD}\none that is new\n")
    assert OWNER in said
    assert (await shell("whoami")).code == 0  # by its key
    assert (await client("GET", f"{ADMIN}/auth/me")).status == 401  # by a session from before
    body = {"username": OWNER, "password": "one that is new"}
    client.token = (await client.admin("POST", "/auth/login", body)).json["token"]
    assert len((await client.admin("GET", "/auth/sessions")).json["items"]) == 1  # not that of the command


async def test_a_password_that_is_new_is_typed_twice_and_not_shown(stranger: Shell) -> None:
    typed = f"{OWNER}\n{PASSWORD}\none that is new\none that is now\n"
    code, seen = await stranger.at_terminal("password", stranger.url, typed=typed)
    assert code == WRONG_USE, seen
    typed = f"{OWNER}\n{PASSWORD}\none that is new\none that is new\n"
    code, seen = await stranger.at_terminal("password", stranger.url, typed=typed)
    assert code == 0, seen
    assert "one that is new" not in seen


async def test_a_wrong_password_is_one_line_and_keeps_nothing(stranger: Shell) -> None:
    ended = await stranger("login", stranger.url, "--username", OWNER, typed="wrong but long\n")
    assert (ended.code, ended.err.count("\n")) == (NOT_ALLOWED, 1)
    assert not stranger.credentials.exists()


@pytest.mark.parametrize("words", [["--username", OWNER], []])
async def test_missing_input_without_a_terminal_is_reported(stranger: Shell, words: list[str]) -> None:
    assert (await stranger("login", stranger.url, *words)).code == WRONG_USE


async def test_at_a_terminal_name_and_password_are_asked_for_and_the_password_is_not_shown(
    stranger: Shell,
) -> None:
    code, seen = await stranger.at_terminal("login", stranger.url, typed=f"{OWNER}\n{PASSWORD}\n")
    assert code == 0, seen
    assert "Username:" in seen
    assert "Password:" in seen
    assert PASSWORD not in seen


async def test_an_existing_key_is_kept_when_it_is_good(shell: Shell, tmp_path: Path) -> None:
    key = (await shell.done("keys", "create", "ci", "--scope", "script:read")).strip()
    other = Shell(shell.url, tmp_path / "other", shell.folder)
    await other.done("login", shell.url, "--token", typed=f"{key}\n")
    assert (await other("whoami", "--json")).json["key"]["scopes"] == ["script:read"]
    assert (await other("login", shell.url, "--token", typed="pic_nonsense\n")).code == NOT_ALLOWED
    assert (await other("whoami")).code == 0


async def test_the_environment_wins_over_the_file(shell: Shell) -> None:
    key = (await shell.done("keys", "create", "ci", "--scope", "script:read")).strip()
    shell.variables = {"PICLOUD_TOKEN": key}
    assert (await shell("whoami", "--json")).json["key"]["scopes"] == ["script:read"]
    shell.variables = {"PICLOUD_URL": "http://localhost:1"}
    assert (await shell("whoami")).code == NOT_ALLOWED  # no key for that one
    shell.variables = {"PICLOUD_URL": "http://localhost:1", "PICLOUD_TOKEN": key}
    assert (await shell("whoami")).code == UNREACHABLE
    assert (await shell("whoami", "--url", shell.url)).code == 0


async def test_a_key_is_not_sent_unencrypted_without_insecure(shell: Shell) -> None:
    shell.variables = {"PICLOUD_TOKEN": "pic_x"}
    ended = await shell("whoami", "--url", "http://192.0.2.1")
    assert ended.code == WRONG_USE
    assert "plain http" in ended.err
    assert (await shell("login", "http://example.com", "--username", "x", typed="y\n")).code == WRONG_USE


async def test_a_credentials_file_that_others_can_read_is_rejected(shell: Shell) -> None:
    shell.credentials.chmod(0o644)
    ended = await shell("whoami")
    assert ended.code == 1
    assert f"chmod 600 {shell.credentials}" in ended.err


@pytest.mark.parametrize("option", ["--password", "--key"])
async def test_no_secret_is_an_option(stranger: Shell, option: str) -> None:
    assert (await stranger("login", stranger.url, option, "x")).code == WRONG_USE
