"""An app as a folder: push, pull, and concurrent changes on the server."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from picloud.cli.exits import CONFLICT, DOES_NOT_PARSE, FAILED, NOT_FOUND, WRONG_USE
from tests.integration.cli.conftest import Shell
from tests.integration.http.conftest import Client

TOML = """\
[app]
slug = "shop"
domains = ["shop.example.com"]

[scripts.lib]
kind = "module"

[[routes]]
script = "greet"
method = "GET"
path = "/greet/:name"
"""


@pytest.fixture
def folder(shell: Shell) -> Path:
    """A project."""
    folder = shell.folder / "project"
    folder.mkdir()
    (folder / "picloud.toml").write_text(TOML)
    (folder / "greet.rhai").write_text("ctx.request.params.name\n")
    (folder / "lib.rhai").write_text("fn one() { 1 }\n")
    return folder


def steps(said: str) -> list[str]:
    """The steps that a push prints."""
    return [line for line in said.splitlines() if line[:2] in ("+ ", "~ ", "- ")]


def written(said: str) -> list[str]:
    """The files that a pull writes or deletes, as it prints them."""
    return [line for line in said.splitlines() if line.startswith(("wrote ", "deleted "))]


def _files(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): file.read_text()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and ".picloud" not in file.parts
    }


async def test_a_push_creates_the_app_and_a_second_push_has_no_steps(
    shell: Shell, folder: Path, client: Client
) -> None:
    said = await shell.done("push", "project", "--create-app", "-m", "first")
    assert said.splitlines() == [
        "+ app shop",
        "+ domain shop.example.com",
        "+ script lib",
        "+ script greet",
        "+ route GET /greet/:name  greet",
        "shop: 5 new",
    ]
    assert (await client("GET", "/greet/Ada", host="shop.example.com")).body == b'"Ada"'
    assert steps(await shell.done("push", folder=folder)) == []
    versions = (await shell("scripts", "versions", "greet", "--json", folder=folder)).json
    assert [(one["version"], one["message"]) for one in versions] == [(1, "first")]


async def test_a_pulled_app_is_pushed_without_steps(shell: Shell, folder: Path) -> None:
    await shell.done("push", "project", "--create-app")
    await shell.done("pull", "shop", "copy")
    copy = shell.folder / "copy"
    files = _files(copy)
    assert files.pop("picloud.toml").startswith('[app]\nslug = "shop"\nname = "shop"\n')
    assert files == {name: text for name, text in _files(folder).items() if name.endswith(".rhai")}
    assert steps(await shell.done("push", "copy", "--prune")) == []
    assert written(await shell.done("pull", folder=copy)) == []
    assert (copy / ".picloud" / ".gitignore").read_text() == "*\n"


async def test_byte_order_marks_are_no_changes(shell: Shell, folder: Path) -> None:
    for file in folder.glob("*.*"):
        file.write_text("\ufeff" + file.read_text("utf-8"), "utf-8")
    await shell.done("push", "project", "--create-app")
    assert await shell.done("push", folder=folder) == "shop: nothing to do\n"
    assert await shell.done("pull", folder=folder) == ". is up to date with app shop\n"


async def test_an_app_without_routes_is_pulled_so_that_routes_can_be_added(shell: Shell) -> None:
    await shell.done("apps", "create", "empty")
    await shell.done("pull", "empty")
    file = shell.folder / "empty" / "picloud.toml"
    first, rest = file.read_text().split("\n", 1)
    assert first == "routes = []  # none; [[routes]] take the place of this line"
    (file.parent / "one.rhai").write_text("1")
    file.write_text(rest + '\n[[routes]]\nscript = "one"\npath = "/one"\n')
    assert "empty: 2 new" in await shell.done("push", "empty")
    assert written(await shell.done("pull", folder=file.parent)) == []


async def test_pull_without_a_folder_creates_one_named_like_the_app(shell: Shell) -> None:
    await shell.done("pull", "default")
    assert set(_files(shell.folder / "default")) == {"hello.rhai", "picloud.toml"}
    assert (await shell("pull", "nix")).code == NOT_FOUND
    assert (await shell("pull")).code == WRONG_USE


async def test_a_missing_app_is_created_only_on_request(shell: Shell, folder: Path) -> None:
    ended = await shell("push", "project")
    assert (ended.code, "--create-app" in ended.err) == (NOT_FOUND, True)
    code, seen = await shell.at_terminal("push", "project", typed="n\n")
    assert code == NOT_FOUND, seen
    assert (await shell("apps", "show", "shop")).code == NOT_FOUND
    code, seen = await shell.at_terminal("push", "project", typed="y\n")
    assert code == 0, seen


async def test_a_dry_run_shows_the_plan_and_changes_nothing(shell: Shell, folder: Path) -> None:
    shown = (await shell("push", "project", "--dry-run", "--json")).json
    assert [(step["verb"], step["noun"], step["name"]) for step in shown["steps"]][-1] == (
        "create",
        "route",
        "GET /greet/:name",
    )
    assert (await shell("apps", "show", "shop")).code == NOT_FOUND
    await shell.done("push", "project", "--create-app")
    (folder / "greet.rhai").write_text("let x = ;")
    assert (await shell("push", "project", "--dry-run")).code == DOES_NOT_PARSE


async def test_an_invalid_slug_is_escaped_on_the_terminal(shell: Shell, folder: Path) -> None:
    (folder / "picloud.toml").write_text('[app]\nslug = "x\\u001b[2J\\u202e"\n')
    shown = await shell.done("push", "project", "--dry-run")
    assert "x\\x1b[2J\\u202e: " in shown
    assert not set(shown) & set("\x1b\u202e")


async def test_one_script_that_does_not_parse_prevents_every_change(shell: Shell, folder: Path) -> None:
    (folder / "bad.rhai").write_text("let x = ;\n")
    ended = await shell("push", "project", "--create-app")
    assert ended.code == DOES_NOT_PARSE
    assert "bad.rhai:1:9: " in ended.err
    assert "    1 | let x = ;\n      |         ^" in ended.err
    assert (await shell("apps", "show", "shop")).code == NOT_FOUND  # not even the app
    (folder / "bad.rhai").unlink()
    await shell.done("push", "project", "--create-app")
    (folder / "greet.rhai").write_text('"new"')
    (folder / "lib.rhai").write_text("fn one( {")
    assert (await shell("push", "project")).code == DOES_NOT_PARSE
    (folder / "lib.rhai").write_text("fn one() { 1 }\n")
    assert "~ script greet  source" in await shell.done("push", "project")


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        ("max_fule = 5", "max_fule: "),
        ("timeout_seconds = 100000", "timeout_seconds: "),
    ],
)
async def test_an_invalid_limit_prevents_every_change(
    shell: Shell, folder: Path, limit: str, says: str
) -> None:
    (folder / "picloud.toml").write_text(f"{TOML}\n[scripts.greet]\nsandbox = {{ {limit} }}\n")
    for words in (("--dry-run",), ()):
        ended = await shell("push", "project", "--create-app", *words)
        assert (ended.code, f"scripts.greet.sandbox.{says}" in ended.err) == (WRONG_USE, True), ended.err
    assert (await shell("apps", "show", "shop")).code == NOT_FOUND


async def test_changes_on_the_server_are_not_overwritten_by_a_push(shell: Shell, folder: Path) -> None:
    await shell.done("push", "project", "--create-app")
    await shell.done("scripts", "update", "greet", "--file", "-", "--app", "shop", typed='"theirs"')
    ended = await shell("push", "project")  # not changed here at all: a push would undo their change
    assert ended.code == CONFLICT
    assert re.search("greet .*2.*1", ended.err)
    await shell.done("pull", folder=folder)
    assert (folder / "greet.rhai").read_text() == '"theirs"'
    assert (folder / "picloud.toml").read_text() == TOML  # as a person wrote it
    assert steps(await shell.done("push", "project")) == []


async def test_a_pull_keeps_the_order_of_routes_and_domains_in_the_file(shell: Shell, folder: Path) -> None:
    route = '\n[[routes]]\nscript = "greet"\nmethod = "GET"\npath = "/a"\n'  # behind /greet/:name
    written = TOML.replace('["', '["www.example.com", "') + "# by hand\n" + route
    (folder / "picloud.toml").write_text(written)
    await shell.done("push", "project", "--create-app")
    await shell.done("scripts", "update", "greet", "--file", "-", "--app", "shop", typed='"theirs"')
    assert await shell.done("pull", folder=folder) == "wrote greet.rhai\n"
    assert (folder / "picloud.toml").read_text() == written


async def test_local_changes_are_not_overwritten_by_a_pull(shell: Shell, folder: Path) -> None:
    await shell.done("push", "project", "--create-app")
    (folder / "greet.rhai").write_text('"ours"')
    await shell.done("scripts", "update", "greet", "--file", "-", "--app", "shop", typed='"theirs"')
    ended = await shell("pull", folder=folder)
    assert (ended.code, "greet.rhai" in ended.err) == (CONFLICT, True)
    assert (await shell("push", "project")).code == CONFLICT
    await shell.done("push", "project", "--force")
    assert written(await shell.done("pull", folder=folder)) == []
    await shell.done("scripts", "update", "greet", "--file", "-", "--app", "shop", typed='"theirs"')
    (folder / "greet.rhai").write_text('"ours again"')
    await shell.done("pull", "--force", folder=folder)
    assert (folder / "greet.rhai").read_text() == '"theirs"'


async def test_a_first_push_updates_existing_scripts(shell: Shell, folder: Path) -> None:
    """As from a fresh clone in continuous integration."""
    await shell.done("push", "project", "--create-app")
    (folder / ".picloud" / "state.json").unlink()
    (folder / "greet.rhai").write_text('"new"')
    assert "~ script greet" in await shell.done("push", "project")


async def test_only_prune_deletes_and_only_after_confirmation(
    shell: Shell, folder: Path, client: Client
) -> None:
    await shell.done("push", "project", "--create-app")
    (folder / "picloud.toml").write_text(
        '[app]\nslug = "shop"\ndomains = []\n\n[scripts.lib]\nkind = "module"\n'
    )
    (folder / "picloud.toml").write_text("routes = []\n" + (folder / "picloud.toml").read_text())
    (folder / "greet.rhai").unlink()
    said = await shell.done("push", "project")
    assert steps(said) == []
    assert "--prune" in said
    assert "script greet, route GET /greet/:name, domain shop" in said
    assert (await client("GET", "/greet/Ada", host="shop.example.com")).status == 200
    assert (await shell("push", "project", "--prune")).code == WRONG_USE
    said = await shell.done("push", "project", "--prune", "--yes")
    assert said.splitlines() == [
        "- route GET /greet/:name",
        "- script greet",
        "- domain shop.example.com",
        "shop: 3 deleted",
    ]
    assert steps(await shell.done("push", "project", "--prune")) == []


async def test_a_pull_deletes_unchanged_files_of_deleted_scripts(shell: Shell, folder: Path) -> None:
    (folder / "more.rhai").write_text("1")
    (folder / "mine.rhai").write_text("1")
    await shell.done("push", "project", "--create-app")
    for name in ("more", "mine"):
        await shell.done("scripts", "delete", name, "--yes", "--app", "shop")
    (folder / "mine.rhai").write_text("2")
    await shell.done("pull", folder=folder)
    assert not (folder / "more.rhai").exists()
    assert (folder / "mine.rhai").read_text() == "2"
    assert "+ script mine" in await shell.done("push", "project")


async def test_a_failed_step_is_reported_and_the_next_push_continues(
    shell: Shell, folder: Path, client: Client
) -> None:
    await shell.done("push", "project", "--create-app")
    await client.admin("POST", "/apps", {"slug": "other", "name": "Other"})
    await client.admin("POST", "/apps/other/domains", {"pattern": "taken.example.com"})
    toml = TOML.replace('"shop.example.com"', '"shop.example.com", "free.example.com", "taken.example.com"')
    (folder / "picloud.toml").write_text(toml)
    ended = await shell("push", "project")
    assert ended.code == CONFLICT
    assert re.search("1 of 2 .*create domain taken.example.com", ended.err)
    (folder / "picloud.toml").write_text(toml.replace(', "taken.example.com"', ""))
    assert steps(await shell.done("push", "project")) == []


async def test_every_name_of_a_script_can_be_pulled_and_pushed(shell: Shell, client: Client) -> None:
    names = ["../evil", "CON", "a/b", "a_b", ".hidden", "Greet", "greet", "größe", "-rf", 'q"\\']
    for name in names:
        await client.script(json.dumps(name), name)
    await shell.done("pull", "default")
    folder = shell.folder / "default"
    assert not (shell.folder / "evil.rhai").exists()
    assert len([*folder.glob("*.rhai")]) == len(names) + 1
    assert steps(await shell.done("push", "default", "--prune")) == []
    assert written(await shell.done("pull", "default", "default")) == []


async def test_a_pull_follows_no_link_out_of_the_folder(shell: Shell) -> None:
    outside = shell.folder / "outside"
    outside.write_text("precious")
    inside = shell.folder / "default"
    inside.mkdir()
    (inside / "hello.rhai").symlink_to(outside)
    assert (await shell("pull", "default", "--force")).code == WRONG_USE
    assert outside.read_text() == "precious"


async def test_a_pull_writes_no_state_through_a_link(shell: Shell) -> None:
    outside = shell.folder / "outside"
    outside.mkdir()
    await shell.done("pull", "default")
    inside = shell.folder / "default"
    shutil.rmtree(inside / ".picloud")
    (inside / ".picloud").symlink_to(outside)
    for words in (("pull", "default", "--force"), ("push", "default")):
        ended = await shell(*words)
        assert ended.code == WRONG_USE
        assert ".picloud" in ended.err
    assert list(outside.iterdir()) == []


async def test_a_state_file_cannot_name_a_hidden_file(shell: Shell) -> None:
    await shell.done("pull", "default")
    inside = shell.folder / "default"
    (inside / ".git").mkdir()
    (inside / ".git" / "config").write_text("precious")
    state = inside / ".picloud" / "state.json"
    state.write_text(state.read_text().replace("hello.rhai", ".git/config"))
    (inside / "hello.rhai").unlink()
    await shell.done("pull", "default", "--force")
    assert (inside / ".git" / "config").read_text() == "precious"
    assert (inside / "hello.rhai").exists()


async def test_an_invalid_state_file_does_no_harm(shell: Shell) -> None:
    await shell.done("pull", "default")
    folder = shell.folder / "default"
    state = folder / ".picloud" / "state.json"
    document = json.loads(state.read_text())
    (scripts,) = document[shell.url].values()
    precious = shell.folder / "precious.rhai"
    precious.write_text((folder / "hello.rhai").read_text())
    scripts["gone"] = {**scripts["hello"], "file": "../precious.rhai"}
    state.write_text(json.dumps(document))
    assert (await shell("pull", folder=folder)).code == WRONG_USE
    assert precious.exists()
    state.write_text("{")
    for command in ("pull", "push"):
        ended = await shell(command, folder=folder)
        assert (ended.code, "state.json" in ended.err) == (FAILED, True)


async def test_a_folder_can_be_pushed_to_another_app(shell: Shell, folder: Path) -> None:
    (folder / "picloud.toml").write_text(TOML.replace('domains = ["shop.example.com"]\n', ""))
    await shell.done("push", "project", "--create-app")
    await shell.done("push", "project", "--create-app", "--app", "staging")
    assert steps(await shell.done("push", "project", "--app", "staging")) == []
    assert steps(await shell.done("push", "project")) == []


GREETING = 'import "lib" as lib; lib::one()'


async def test_scripts_and_their_modules_are_pushed_together(shell: Shell, folder: Path) -> None:
    (folder / "greet.rhai").write_text(GREETING)
    assert "note" not in await shell.done("push", "project", "--create-app")
    assert await shell.done("scripts", "run", "greet", folder=folder) == "1"
    (folder / "lib.rhai").write_text('import "more" as more; fn one() { more::two() }\n')
    (folder / "more.rhai").write_text("fn two() { 2 }\n")
    (folder / "picloud.toml").write_text(TOML + '[scripts.more]\nkind = "module"\n')
    assert "note" not in await shell.done("push", folder=folder)
    assert await shell.done("scripts", "run", "greet", folder=folder) == "2"
    listed = await shell.done("scripts", "imports", "greet", folder=folder)
    assert listed.splitlines()[1].split()[:3] == ["lib", "module", "2"]
    listed = await shell.done("scripts", "imported-by", "more", folder=folder)
    assert listed.splitlines()[1].split()[:2] == ["lib", "module"]


async def test_an_import_of_a_missing_module_is_pushed_with_a_note(shell: Shell, folder: Path) -> None:
    (folder / "greet.rhai").write_text('import "nobody" as n; import "page" as p; import "lib" as lib; 1')
    (folder / "page.rhai").write_text("1")
    told = (await shell.done("push", "project", "--create-app")).splitlines()
    assert told[-2:] == [
        "note: greet imports 'nobody', which does not exist",
        "note: greet imports 'page', which is not a module",
    ]
    ended = await shell("push", "--json", folder=folder)
    assert ended.json["missing"] == []  # nothing is saved
    told = (await shell.done("scripts", "validate", "greet.rhai", folder=folder)).splitlines()
    assert told[0] == "valid"
    assert told[1] == "note: import 'nobody': module not found"


async def test_a_module_that_is_needed_is_not_pruned_and_those_that_all_go_are(
    shell: Shell, folder: Path
) -> None:
    (folder / "greet.rhai").write_text(GREETING)
    (folder / "a.rhai").write_text('import "b" as b; fn n() { 1 }')
    (folder / "b.rhai").write_text("fn n() { 1 }")
    toml = TOML + '[scripts.a]\nkind = "module"\n[scripts.b]\nkind = "module"\n'
    (folder / "picloud.toml").write_text(toml)
    await shell.done("push", "project", "--create-app")
    (folder / "picloud.toml").write_text(TOML.replace('[scripts.lib]\nkind = "module"\n', ""))
    for name in ("lib", "b"):
        (folder / f"{name}.rhai").unlink()
    (folder / "a.rhai").write_text('import "b" as b; fn n() { 2 }')
    (folder / "picloud.toml").write_text(
        toml.replace('[scripts.lib]\nkind = "module"\n', "").partition("[scripts.b]")[0]
    )
    ended = await shell("push", "--prune", "--yes", folder=folder)
    assert ended.code == CONFLICT
    assert re.search("script b .*imported by a\\b", ended.err)
    (folder / "a.rhai").write_text("fn n() { 2 }")
    ended = await shell("push", "--prune", "--yes", folder=folder)
    assert re.search("script lib .*imported by greet", ended.err)
    (folder / "a.rhai").unlink()
    (folder / "picloud.toml").write_text(TOML.replace('[scripts.lib]\nkind = "module"\n', ""))
    (folder / "greet.rhai").write_text("1")
    said = await shell.done("push", "--prune", "--yes", folder=folder)
    assert said.splitlines()[-1] == "shop: 1 changed, 3 deleted"


async def test_variables_are_pushed_and_pulled_where_the_folder_has_them(shell: Shell, folder: Path) -> None:
    await shell.done("push", "project", "--create-app")
    await shell.done("vars", "set", "KEPT", "theirs", "--app", "shop")
    await shell.done("pull", folder=folder)
    assert (folder / "picloud.toml").read_text() == TOML  # without [vars], the server's stay there
    (folder / "picloud.toml").write_text(TOML + '\n[vars]\nA = "1"\nB = "two\\nlines"\n')
    said = await shell.done("push", "project")
    assert said.splitlines()[:3] == ["+ variable A", "+ variable B", "shop: 2 new"]
    assert "variable KEPT" in said
    (folder / "picloud.toml").write_text(TOML + '\n[vars]\nB = "2"\n')
    said = await shell.done("push", "project", "--prune", "--yes")
    assert said.splitlines() == [
        *("~ variable B", "- variable A", "- variable KEPT"),
        "shop: 1 changed, 2 deleted",
    ]
    assert steps(await shell.done("push", "project", "--prune")) == []
    await shell.done("vars", "set", "C", "3", "--app", "shop")
    await shell.done("pull", "--force", folder=folder)
    assert '[vars]\nB = "2"\nC = "3"\n' in (folder / "picloud.toml").read_text()
    await shell.done("pull", "shop", "fresh")
    assert '[vars]\nB = "2"\nC = "3"\n' in (shell.folder / "fresh" / "picloud.toml").read_text()
