"""apps, scripts, routes, domains, users, keys, members and audit: output and exit codes."""

from __future__ import annotations

import json
import re

import pytest

from picloud.cli.exits import (
    CONFLICT,
    DOES_NOT_PARSE,
    FAILED,
    NOT_ALLOWED,
    NOT_FOUND,
    UNREACHABLE,
    WRONG_USE,
)
from tests.integration.cli.conftest import Shell
from tests.integration.conftest import PASSWORD, Worker
from tests.integration.http.conftest import Client

DEFAULT = ("--app", "default")


async def test_an_app_is_created_shown_updated_and_deleted(shell: Shell) -> None:
    assert "shop" in await shell.done("apps", "create", "shop")
    assert (await shell("apps", "show", "shop", "--json")).json["name"] == "shop"
    assert "store" in await shell.done("apps", "update", "shop", "--slug", "store", "--description", "Sells.")
    lines = (await shell.done("apps", "list")).splitlines()
    assert lines[0].split() == ["slug", "name", "your", "role", "created"]
    assert [line.split()[0] for line in lines[1:]] == ["default", "store"]
    assert "store" in await shell.done("apps", "delete", "store", "--yes")
    assert (await shell("apps", "show", "store")).code == NOT_FOUND


async def test_an_app_with_content_is_deleted_only_with_force(shell: Shell) -> None:
    assert (await shell("apps", "delete", "default", "--yes")).code == CONFLICT
    await shell.done("apps", "delete", "default", "--yes", "--force")
    assert (await shell("apps", "list", "--json")).json == []


async def test_a_deletion_asks_for_the_name_and_needs_a_terminal(shell: Shell) -> None:
    await shell.done("apps", "create", "shop")
    ended = await shell("apps", "delete", "shop")
    assert ended.code == WRONG_USE
    assert "--yes" in ended.err
    code, seen = await shell.at_terminal("apps", "delete", "shop", typed="shpo\n")
    assert code == WRONG_USE
    assert (await shell("apps", "show", "shop")).code == 0
    code, seen = await shell.at_terminal("apps", "delete", "shop", typed="shop\n")
    assert code == 0, seen
    assert (await shell("apps", "show", "shop")).code == NOT_FOUND


async def test_a_script_is_saved_compared_restored_and_run(shell: Shell) -> None:
    file = shell.folder / "greet.rhai"
    file.write_text("1\n")
    await shell.done("scripts", "create", "greet", "greet.rhai", *DEFAULT, "-m", "first")
    file.write_text("2\n")
    assert "version 2" in await shell.done("scripts", "update", "greet", "--file", "greet.rhai", *DEFAULT)
    assert (await shell("scripts", "run", "greet", *DEFAULT)).out == "2"
    versions = await shell.done("scripts", "versions", "greet", *DEFAULT)
    assert re.search(r"^1 .* ada +first$", versions, re.MULTILINE)
    assert "-1\n+2\n" in await shell.done("scripts", "diff", "greet", "--from", "1", "--to", "2", *DEFAULT)
    assert "version 3" in await shell.done("scripts", "restore", "greet", "1", *DEFAULT)
    assert (await shell.done("scripts", "show", "greet", *DEFAULT)).endswith("\n\n1\n")
    await shell.done("scripts", "delete", "greet", "--yes", *DEFAULT)
    assert (await shell("scripts", "show", "greet", *DEFAULT)).code == NOT_FOUND


async def test_limits_of_a_script_are_set_and_removed(shell: Shell) -> None:
    await shell.done("scripts", "create", "x", "-", *DEFAULT, "--limit-to", "max_fuel=5000", typed="1")
    await shell.done(
        "scripts", "update", "x", *DEFAULT, "--limit-to", "max_fuel=", "--limit-to", "timeout_seconds=3"
    )
    assert (await shell("scripts", "show", "x", *DEFAULT, "--json")).json["sandbox"] == {"timeout_seconds": 3}
    ended = await shell("scripts", "update", "x", *DEFAULT, "--limit-to", "fuel")
    assert (ended.code, "NAME=NUMBER" in ended.err) == (WRONG_USE, True)


async def test_a_script_that_does_not_parse_shows_its_line_and_ends_with_3(shell: Shell) -> None:
    (shell.folder / "bad.rhai").write_text("let x = 1;\nlet y = ;\n")
    for words in (["create", "bad", "bad.rhai"], ["validate", "bad.rhai"]):
        ended = await shell("scripts", *words, *DEFAULT)
        assert ended.code == DOES_NOT_PARSE
        assert "bad.rhai:2:9: " in ended.err
        assert "    2 | let y = ;\n      |         ^" in ended.err
        ended = await shell("scripts", *words, *DEFAULT, "--json")
        assert (ended.code, ended.error["code"]) == (DOES_NOT_PARSE, "script_invalid")
    assert await shell.done("scripts", "validate", "-", *DEFAULT, typed="1") == "valid\n"


async def test_a_stale_version_ends_with_6(shell: Shell) -> None:
    ended = await shell("scripts", "update", "hello", "--version", "7", "--description", "x", *DEFAULT)
    assert ended.code == CONFLICT


async def test_a_script_that_fails_when_run_ends_with_1(shell: Shell) -> None:
    await shell.done("scripts", "create", "x", "-", *DEFAULT, typed='throw "no"')
    ended = await shell("scripts", "run", "x", *DEFAULT)
    assert ended.code == FAILED
    assert json.loads(ended.out)["error"]["code"] == "script_error"


async def test_routes_are_added_checked_matched_changed_and_removed(shell: Shell) -> None:
    said = await shell.done("routes", "add", "get", "/users/:id", "hello", *DEFAULT)
    assert "/users/:id" in said
    lines = (await shell.done("routes", "list", *DEFAULT)).splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["ANY", "/hello", "hello"],
        ["GET", "/users/:id", "hello"],
    ]
    assert (await shell("routes", "check", "GET", "/users/:name", "hello", *DEFAULT)).code == CONFLICT
    assert (await shell("routes", "check", "GET", "/free", "hello", *DEFAULT)).code == 0
    matched = await shell.done("routes", "match", "GET", "http://localhost/users/7", *DEFAULT)
    assert matched.splitlines()[1].startswith("GET")
    assert matched.splitlines()[2] == "id = 7"
    assert (await shell("routes", "match", "GET", "http://localhost/nix", *DEFAULT)).code == NOT_FOUND
    assert (await shell("routes", "add", "GET", "/users/:x", "hello", *DEFAULT)).code == CONFLICT
    await shell.done("routes", "update", "GET /users/:id", "--method", "any", *DEFAULT)
    assert (await shell("routes", "remove", "GET /users/:id", "--yes", *DEFAULT)).code == NOT_FOUND
    await shell.done("routes", "remove", "/users/:id", "--yes", *DEFAULT)
    assert len((await shell("routes", "list", *DEFAULT, "--json")).json) == 1


async def test_domains_are_claimed_and_released(shell: Shell) -> None:
    assert "api.example.com" in await shell.done("domains", "add", "API.example.com", *DEFAULT)
    assert (await shell("domains", "add", "api.example.com", *DEFAULT)).code == CONFLICT
    await shell.done("domains", "remove", "Api.Example.com", "--yes", *DEFAULT)
    assert [one["pattern"] for one in (await shell("domains", "list", *DEFAULT, "--json")).json] == [
        "localhost"
    ]


async def test_users_are_created_added_to_an_app_and_deactivated(shell: Shell) -> None:
    assert "bob" in await shell.done("users", "create", "bob", typed=f"{PASSWORD}\n")
    assert "editor" in await shell.done("members", "add", "bob", "editor", *DEFAULT)
    assert (await shell("members", "add", "bob", "viewer", *DEFAULT)).code == CONFLICT
    assert "viewer" in await shell.done("members", "change", "Bob", "viewer", *DEFAULT)
    assert "bob" in await shell.done("members", "list", *DEFAULT)
    await shell.done("members", "remove", "bob", "--yes", *DEFAULT)
    assert (await shell("members", "change", "bob", "viewer", *DEFAULT)).code == NOT_FOUND
    await shell.done("users", "update", "bob", "--email", "bob@example.com", "--active", "no")
    users = (await shell("users", "list", "--json")).json
    assert [(one["username"], one["email"], one["is_active"]) for one in users][1:] == [
        ("bob", "bob@example.com", False)
    ]
    await shell.done("users", "update", "bob", "--email", "", "--password", typed="another password\n")
    assert (await shell("users", "list", "--json")).json[1]["email"] is None
    await shell.done("users", "delete", "bob", "--yes")
    ended = await shell("users", "update", "bob")
    assert (ended.code, "--email" in ended.err) == (WRONG_USE, True)


async def test_a_key_is_shown_once_alone_and_can_be_revoked(shell: Shell) -> None:
    made = await shell(
        "keys", "create", "ci", "--scope", "log:read", "--only-for", "default", "--expires", "2w"
    )
    assert re.fullmatch(r"pic_[a-z2-7]{52}\n", made.out)
    listed = (await shell("keys", "list", "--json")).json
    key = next(one for one in listed if one["name"] == "ci")
    assert (key["scopes"], key["expires_at"] is not None) == (["log:read"], True)
    assert made.out.strip() not in (await shell("keys", "list")).out
    await shell.done("keys", "revoke", "ci", "--yes")
    assert (await shell("keys", "revoke", "ci", "--yes")).code == NOT_FOUND
    assert (await shell("keys", "create", "x", "--scope", "log:read", "--expires", "soon")).code == WRONG_USE


async def test_the_audit_log_is_listed(shell: Shell) -> None:
    await shell.done("apps", "create", "shop")
    assert "app.create" in await shell.done("audit", "list")
    assert "app.create" in await shell.done("audit", "list", "--app", "shop", "--action", "app.create")
    assert (await shell("audit", "list", "--user", "ada", "--outcome", "refused", "--json")).json == []


async def test_a_denied_command_ends_with_5(stranger: Shell, worker: Worker) -> None:
    assert (await stranger("apps", "list")).code == NOT_ALLOWED
    await worker.person("bob", "member")
    await stranger.done("login", stranger.url, "--username", "bob", typed=f"{PASSWORD}\n")
    assert (await stranger("apps", "create", "shop")).code == NOT_ALLOWED
    assert (await stranger("users", "list")).code == NOT_ALLOWED
    assert (await stranger("apps", "list", "--json")).json == []


async def test_an_unreachable_server_ends_with_7(shell: Shell) -> None:
    shell.variables = {"PICLOUD_TOKEN": "pic_x"}
    ended = await shell("apps", "list", "--url", "http://localhost:1")
    assert ended.code == UNREACHABLE
    assert ended.err.startswith("picloud: http://localhost:1 ")
    assert ended.err.count("\n") == 1


async def test_an_error_is_one_line_or_the_json_of_the_server(shell: Shell) -> None:
    ended = await shell("apps", "create", "Not A Slug")
    assert ended.code == WRONG_USE
    assert ended.err.startswith("picloud: ")
    assert ended.err.endswith(" (slug)\n")
    ended = await shell("apps", "create", "Not A Slug", "--json")
    assert (ended.out, ended.error["code"], ended.error["details"]["field"]) == ("", "invalid", "slug")
    assert ended.error["request_id"]


async def test_a_list_has_all_pages_or_up_to_the_limit(shell: Shell, client: Client) -> None:
    for number in range(205):
        await client.admin("POST", "/apps", {"slug": f"app-{number}", "name": "x"})
    listed = (await shell("apps", "list", "--json")).json
    assert [one["slug"] for one in listed] == ["default", *(f"app-{number}" for number in range(205))]
    assert len((await shell("apps", "list", "--json", "--limit", "3")).json) == 3
    assert (await shell("apps", "list", "--limit", "0")).code == WRONG_USE


async def test_a_command_without_an_app_asks_for_one(shell: Shell) -> None:
    ended = await shell("scripts", "list")
    assert (ended.code, "--app SLUG" in ended.err) == (WRONG_USE, True)
    shell.variables = {"PICLOUD_APP": "default"}
    assert (await shell("scripts", "list")).code == 0
    shell.variables = {}
    for text in ("[app", "[app]\nname = 'Shop'\n"):
        (shell.folder / "picloud.toml").write_text(text)
        ended = await shell("scripts", "list")
        assert (ended.code, "picloud.toml" in ended.err) == (WRONG_USE, True)
    (shell.folder / "picloud.toml").write_text('[app]\nslug = "default"\n')
    assert (await shell("scripts", "list")).code == 0


@pytest.mark.parametrize("terminal", [True, False])
async def test_colours_are_for_terminals_that_want_them(shell: Shell, terminal: bool) -> None:
    if not terminal:
        assert "\x1b" not in await shell.done("apps", "list")
        return
    assert "\x1b[1m" in (await shell.at_terminal("apps", "list"))[1]
    shell.variables = {"NO_COLOR": "1"}
    assert "\x1b" not in (await shell.at_terminal("apps", "list"))[1]


async def test_control_characters_are_escaped_on_the_terminal(shell: Shell, client: Client) -> None:
    await client.admin("PATCH", "/apps/default", {"description": "\x1b[2Jgone"})
    assert "\\x1b[2Jgone" in await shell.done("apps", "show", "default")


async def test_names_are_escaped_in_paths(shell: Shell) -> None:
    for name in ("../../limits", "a/b", "..", "%2e%2e", "a?x=1", "a#b"):
        assert (await shell("apps", "show", name)).code == NOT_FOUND
