"""The messages of the commands, each once."""

from __future__ import annotations

import argparse
import asyncio
import io
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import pytest

from picloud.cli import GROUPS, main
from picloud.cli.exits import CONFLICT, FAILED, NOT_ALLOWED, NOT_FOUND, UNREACHABLE, WRONG_USE, Failure
from picloud.cli.prompt import ask, ask_secret, confirm_by_name
from picloud.cli.remote import credentials
from picloud.cli.remote.address import normalise
from picloud.cli.remote.client import ApiError
from picloud.cli.remote.context import Context, find_target, read_text
from picloud.cli.remote.folder import imports, limits, plan, project, state
from picloud.cli.remote.folder.model import Project, ProjectRoute, ProjectScript, Remote, RemoteRef
from picloud.cli.remote.folder.plan import Step
from picloud.cli.remote.folder.state import Base, State, digest
from picloud.cli.remote.keys import expiry
from picloud.cli.remote.push import Pushed, summary

NOUNS = [
    module.NOUN
    for names in GROUPS.values()
    for name in names.values()
    if hasattr(module := import_module(f"picloud.cli.{name}"), "NOUN")
]


def test_a_change_is_confirmed_and_reported() -> None:
    said = {
        f"{noun.name} {verb.name}": (verb.destroys, verb.success)
        for noun in NOUNS
        for verb in noun.verbs
        if verb.destroys or verb.success
    }
    assert said == {
        "apps create": ("", "created app {slug}"),
        "apps update": ("", "updated app {slug}"),
        "apps delete": ("deletes the app {app}", "deleted app {app}"),
        "scripts create": ("", "created script {name}, version {version}"),
        "scripts update": ("", "saved script {name}, version {version}"),
        "scripts restore": ("", "saved script {name}, version {version}"),
        "scripts delete": (
            "deletes the script {script} with all its versions",
            "deleted script {given_script}",
        ),
        "routes add": ("", "created route {given_method} {path} for script {given_script}"),
        "routes update": ("", "updated route {path}"),
        "routes remove": ("deletes the route {route}", "deleted route {given_route}"),
        "domains add": ("", "claimed domain {pattern}"),
        "domains remove": (
            "deletes the domain {domain}: the app is no longer served there",
            "deleted domain {given_domain}",
        ),
        "vars set": ("", "set {name}"),
        "vars delete": (
            "deletes the variable {name}: scripts that read it get an error",
            "deleted {given_name}",
        ),
        "kv set": ("", "wrote {key}, {size} bytes"),
        "kv delete": ("deletes {key} of {collection}", "deleted {given_key}"),
        "docs create": ("", "created document {id}"),
        "docs delete": ("deletes the document {id} of {collection}", "deleted {given_id}"),
        "files delete": ("deletes the file {id} of {collection}", "deleted {given_id}"),
        "members add": ("", "added {username} as {role}"),
        "members change": ("", "changed the role of {username} to {role}"),
        "members remove": ("removes {user} from the app", "removed {given_user} from the app"),
        "users create": ("", "created {role} {username}"),
        "users update": ("", "updated user {username}"),
        "users delete": ("deletes the user {user}", "deleted user {given_user}"),
        "keys revoke": ("revokes the key {key}", "revoked key {given_key}"),
    }


ENDPOINT = ProjectScript("a", "1")
GET_X = ProjectRoute("a", "GET", "/x")
TAKEN = ProjectRoute("a", "GET", "/:x/b/:y")
NEW = ProjectRoute("a", "GET", "/:x/:z/c")
SERVER = Remote("app", "shop", "Shop", scripts={"a": ENDPOINT}, held={"a": RemoteRef("id-a", 3)})
SYNCED = State(True, {"a": Base(2, digest("1"), "a.rhai")})


def planned(wanted: Project, remote: Remote = SERVER, common: State | None = None) -> Callable[[], object]:
    return lambda: plan.make(wanted, remote, common or State())


def shop(source: str = "1", kind: str | None = None, *routes: ProjectRoute) -> Project:
    script = ProjectScript("a", source, kind)
    return Project("shop", scripts={"a": script}, routes=routes or None)


class Api:
    """A client whose lists are given."""

    def __init__(self, *items: dict[str, Any]) -> None:
        self._items = items

    async def items(self, *_: object, **__: object) -> list[dict[str, Any]]:
        return list(self._items)


def api(*items: dict[str, Any]) -> Any:
    return cast("Any", Api(*items))


def limited(name: str, value: int) -> Callable[[], object]:
    wanted = Project("shop", scripts={"a": replace(ENDPOINT, sandbox={name: value})})
    known = api({"name": "max_fuel", "ceiling": 9})
    return lambda: asyncio.run(limits.check(known, wanted))


def imported() -> object:
    remote = replace(SERVER, scripts={"a": ProjectScript("a", "1", "module")})
    steps = [Step("delete", "script", "a")]
    return asyncio.run(imports.reject_deletions(api({"name": "b"}), remote, steps, {}))


def context(app: str | None = None) -> Context:
    return Context(api(), argparse.Namespace(json=False, app=app))


@pytest.mark.parametrize(
    ("work", "exit_code", "message"),
    [
        (lambda: normalise("http://[a"), WRONG_USE, "'http://[a' is not the address of a server"),
        (lambda: normalise("ftp://a"), WRONG_USE, "'ftp://a' is not an http:// or https:// address"),
        (
            lambda: normalise("https://me@a"),
            WRONG_USE,
            "an address must not contain a username or password",
        ),
        (lambda: normalise("https://a?b"), WRONG_USE, "'https://a?b' must not have a query or fragment"),
        (
            lambda: find_target(argparse.Namespace(url="http://a.example", insecure=False)),
            WRONG_USE,
            (
                "http://a.example is plain http to another machine: others on the network could read the "
                "token; use https, or --insecure on a trusted network"
            ),
        ),
        (
            lambda: context().app,
            WRONG_USE,
            "no app given; use --app SLUG, set PICLOUD_APP, or change to a folder with a picloud.toml",
        ),
        (
            lambda: asyncio.run(context("shop").script_id("greet")),
            NOT_FOUND,
            "script 'greet' not found in app shop",
        ),
        (lambda: read_text("none.rhai"), WRONG_USE, "none.rhai cannot be read: No such file or directory"),
        (lambda: read_text("latin.rhai"), WRONG_USE, "latin.rhai is not UTF-8 (byte 1)"),
        (
            lambda: asyncio.run(cast("Any", expiry(context(), "soon"))),
            WRONG_USE,
            "invalid --expires 'soon'; use 30d, 12h, 2w or a time such as 2027-01-31T12:00",
        ),
        (lambda: ask("Name:"), WRONG_USE, "the input ended"),
        (
            lambda: ask_secret("Password:"),
            WRONG_USE,
            "no value given; type it at a terminal, or pipe it to standard input",
        ),
        (
            lambda: confirm_by_name("deletes the app shop", "shop", yes=False),
            WRONG_USE,
            "this deletes the app shop; confirm with --yes when no terminal is attached",
        ),
        (
            lambda: project.load(Path("empty")),
            WRONG_USE,
            "empty has no picloud.toml; create one with picloud pull APP",
        ),
        (
            planned(shop("2"), SERVER, SYNCED),
            CONFLICT,
            (
                "changed on the server since the last pull or push: a (version 3, here 2); "
                "pull first, or use --force to overwrite these changes"
            ),
        ),
        (
            planned(shop("2"), replace(SERVER, scripts={}, held={}), SYNCED),
            CONFLICT,
            (
                "changed on the server since the last pull or push: a (deleted on the server); "
                "pull first, or use --force to overwrite these changes"
            ),
        ),
        (
            planned(shop("2"), SERVER, State(True)),
            CONFLICT,
            (
                "changed on the server since the last pull or push: a (new on the server); "
                "pull first, or use --force to overwrite these changes"
            ),
        ),
        (
            planned(shop("1", None, NEW), replace(SERVER, routes={TAKEN: "id-0"})),
            CONFLICT,
            (
                "the route GET /:x/:z/c conflicts with GET /:x/b/:y, which is on the server but not in the "
                "folder; use --prune to replace it"
            ),
        ),
        (
            planned(shop("1", "module"), replace(SERVER, routes={GET_X: "id-0"})),
            CONFLICT,
            "the script a cannot become a module: routes need it: GET /x",
        ),
        (
            planned(
                shop("1", None, GET_X), replace(SERVER, scripts={"a": ProjectScript("a", "1", "module")})
            ),
            CONFLICT,
            "the route GET /x: a is a module, which cannot handle a route",
        ),
        (
            imported,
            CONFLICT,
            "the script a cannot be deleted: it is imported by b; use --force to delete it anyway",
        ),
        (
            limited("max_fule", 1),
            WRONG_USE,
            "picloud.toml: scripts.a.sandbox.max_fule: unknown limit; did you mean max_fuel?",
        ),
        (
            limited("max_fuel", 10),
            WRONG_USE,
            "picloud.toml: scripts.a.sandbox.max_fuel: exceeds the ceiling of this server, 9",
        ),
        (
            lambda: state.read(Path("broken"), "http://a", "app"),
            FAILED,
            "broken/.picloud/state.json is not valid; delete it, and the next pull or push creates it",
        ),
        (
            lambda: state.read(Path("linked"), "http://a", "app"),
            WRONG_USE,
            "linked/.picloud is a symbolic link; remove it",
        ),
        (
            credentials.read,
            FAILED,
            "HOME/picloud/credentials.toml is not valid ('key'); delete it and log in again",
        ),
    ],
)
def test_a_failure_says_what_to_do(
    work: Callable[[], object],
    exit_code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("PICLOUD_APP", "PICLOUD_URL", "PICLOUD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "latin.rhai").write_bytes(b"1\xff")
    (tmp_path / "broken/.picloud").mkdir(parents=True)
    (tmp_path / "broken/.picloud/state.json").write_text("{")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/.picloud").symlink_to(tmp_path / "empty")
    if work is credentials.read:
        (tmp_path / "home/picloud").mkdir(parents=True)
        file = tmp_path / "home/picloud/credentials.toml"
        file.write_text('[logins."http://a"]\n')
        file.chmod(0o600)
    with pytest.raises(Failure) as caught:
        work()
    said = caught.value.message.replace(str(tmp_path / "home"), "HOME")
    assert (caught.value.exit_code, said) == (exit_code, message)


@pytest.mark.parametrize(
    ("status", "error", "exit_code", "message"),
    [
        (422, {"message": "bad", "details": {"field": "slug"}}, WRONG_USE, "bad (slug)"),
        (422, {"message": "slug: bad", "details": {"field": "slug"}}, WRONG_USE, "slug: bad"),
        (429, {"message": "wait", "details": {"retry_after": 3}}, FAILED, "wait (3 s)"),
        (500, {"message": "Oh", "request_id": "r1"}, FAILED, "Oh (request r1)"),
        (404, {"message": "app 'a' not found"}, NOT_FOUND, "app 'a' not found"),
        (409, {"message": "in use; use ?force=true"}, CONFLICT, "in use; use --force"),
        (
            401,
            {"message": "x"},
            NOT_ALLOWED,
            "not logged in, or the session has expired; run picloud login",
        ),
        (
            403,
            {"message": "requires app.read (role viewer in the app)"},
            NOT_ALLOWED,
            "requires app.read (role viewer in the app); picloud apps list shows your apps",
        ),
    ],
)
def test_an_error_of_the_server_is_one_line(
    status: int, error: dict[str, Any], exit_code: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PICLOUD_TOKEN", raising=False)
    failure = ApiError(status, error)
    assert (failure.exit_code, failure.message) == (exit_code, message)


def test_a_rejected_key_of_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICLOUD_TOKEN", "pic_x")
    assert ApiError(401, {}).message == "the key in PICLOUD_TOKEN is unknown, revoked or expired"


@pytest.mark.parametrize(
    ("steps", "dry", "missing", "text"),
    [
        ((), False, (), "shop: nothing to do"),
        (("create", "create", "update", "delete"), False, (), "shop: 2 new, 1 changed, 1 deleted"),
        (("create",), True, (), "shop: 1 new (dry run: no changes made)"),
        (
            ("update",),
            False,
            ("a imports 'b', which does not exist",),
            "shop: 1 changed\nnote: a imports 'b', which does not exist",
        ),
    ],
)
def test_a_push_is_summed_up(steps: tuple[Any, ...], dry: bool, missing: tuple[str, ...], text: str) -> None:
    made = [Step(verb, "script", "a") for verb in steps]
    assert summary(Pushed(Project("shop"), "", made, [], list(missing)), dry) == text


@pytest.mark.parametrize(
    ("words", "exit_code", "message"),
    [
        (["run", "none.rhai"], WRONG_USE, "none.rhai cannot be read: No such file or directory"),
        (["run", "latin.rhai"], WRONG_USE, "latin.rhai is not UTF-8 (byte 1)"),
        (
            ["config", "--config", "none.toml"],
            WRONG_USE,
            "none.toml cannot be read: No such file or directory",
        ),
        (["admin", "create", "ada"], FAILED, "the password must have 10 to 256 bytes, not 5"),
        (
            ["apps", "list", "--url", "https://a.example"],
            NOT_ALLOWED,
            "not logged in to https://a.example; run picloud login https://a.example",
        ),
        (
            ["login", "http://localhost:1", "--token"],
            UNREACHABLE,
            "http://localhost:1 cannot be reached: Connection refused",
        ),
        (["login", "https://a.example"], WRONG_USE, "no username given; use --username NAME"),
    ],
)
def test_a_command_that_fails_says_why_in_one_line(
    words: list[str],
    exit_code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("PICLOUD_URL", "PICLOUD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin.rhai").write_bytes(b"1\xff")
    assert main(words) == exit_code
    assert capsys.readouterr().err == f"picloud: {message}\n"
