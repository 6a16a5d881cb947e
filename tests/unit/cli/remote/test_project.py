"""Reads and writes `picloud.toml`."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.cli.exits import WRONG_USE, Failure
from picloud.cli.remote.folder import toml_writer as text
from picloud.cli.remote.folder.file_names import file_names
from picloud.cli.remote.folder.model import Project, ProjectRoute, ProjectScript, Remote
from picloud.cli.remote.folder.project import load
from tests.unit.cli.remote.test_names import NAMES

APP = '[app]\nslug = "shop"\n'


def folder(tmp_path: Path, document: str, **scripts: str) -> Path:
    (tmp_path / "picloud.toml").write_text(document, "utf-8")
    for name, source in scripts.items():
        (tmp_path / f"{name}.rhai").write_text(source, "utf-8")
    return tmp_path


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    plain = load(folder(tmp_path, APP, greet="1"))
    assert load(folder(tmp_path, "\ufeff" + APP, greet="\ufeff1")) == plain


def test_every_visible_file_is_a_script_named_like_it(tmp_path: Path) -> None:
    folder(tmp_path, APP, greet="1", other="2")
    (tmp_path / ".hidden.rhai").write_text("3")
    (tmp_path / "notes.txt").write_text("4")
    project = load(tmp_path)
    assert project == Project(
        "shop",
        scripts={"greet": ProjectScript("greet", "1"), "other": ProjectScript("other", "2")},
        files={"greet": "greet.rhai", "other": "other.rhai"},
    )


def test_all_that_can_be_said_is_read_and_patterns_are_brought_into_one_form(tmp_path: Path) -> None:
    document = """\
[app]
slug = "shop"
name = "Shop"
description = "Sells."
domains = ["API.Example.com.", "*.example.com"]

[vars]
API_URL = "https://api.example.com"
EMPTY = ""

[scripts.checkout]
file = "lib/out.rhai"
kind = "endpoint"
description = "Takes an order."
execute_access = "members"
sandbox = { max_fuel = 5_000 }

[[routes]]
script = "checkout"
method = "post"
path = "/or ders/:id"
host = "API.example.com"
dispatch_mode = "async"
"""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "out.rhai").write_text("1")
    assert load(folder(tmp_path, document)) == Project(
        "shop",
        "Shop",
        "Sells.",
        ("api.example.com", "*.example.com"),
        {
            "checkout": ProjectScript(
                "checkout", "1", "endpoint", "Takes an order.", "members", {"max_fuel": 5000}
            )
        },
        {"checkout": "lib/out.rhai"},
        (ProjectRoute("checkout", "POST", "/or%20ders/:id", "api.example.com", "async"),),
        {"API_URL": "https://api.example.com", "EMPTY": ""},
    )


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("", "app: is required"),
        ("[app]\n", "app.slug: is required"),
        ("[app]\nslug = 1\n", "app.slug: "),
        (APP + "slgu = 1\n", "app.slgu: unknown key"),
        ("unknown = 1\n" + APP, "unknown: unknown key"),
        (APP + "[vars]\napi-url = 'x'\n", "vars.api-url: invalid variable name; use 1 to 64 characters"),
        (APP + f"[vars]\nA = '{'v' * 8193}'\n", "vars.A: the value must have at most 8192 bytes, not 8193"),
        (APP + "[vars]\nPORT = 80\n", "vars.PORT: must be "),
        (APP + "[scripts.greet]\nknd = 1\n", "scripts.greet.knd: unknown key"),
        (APP + "[scripts.greet]\nkind = 'lambda'\n", "scripts.greet.kind: "),
        (APP + "[scripts.greet]\nsandbox = { max_fuel = '1' }\n", "scripts.greet.sandbox.max_fuel: "),
        (APP + "[scripts.missing]\n", "scripts.missing: file 'missing.rhai' not found"),
        (APP + "[scripts.x]\nfile = '../x.rhai'\n", "'../x.rhai' is outside the folder"),
        (APP + "[scripts.x]\nfile = '/etc/passwd'\n", "'/etc/passwd' is outside the folder"),
        (APP + '[scripts.x]\nfile = "a\\u0000b"\n', "is outside the folder"),
        (APP + "[scripts.x]\nfile = '.git/config'\n", "scripts.x.file: '.git/config' is not a visible .rhai"),
        (APP + "[scripts.x]\nfile = '.git/x.rhai'\n", "scripts.x.file: '.git/x.rhai' is not a visible .rhai"),
        (APP + "[scripts.x]\nfile = '.x.rhai'\n", "scripts.x.file: '.x.rhai' is not a visible .rhai"),
        (APP + "[scripts.x]\nfile = '.rhai'\n", "scripts.x.file: '.rhai' is not a visible .rhai"),
        (
            APP + "[scripts.x]\nfile = 'picloud.toml'\n",
            "scripts.x.file: 'picloud.toml' is not a visible .rhai",
        ),
        (APP + "[scripts.'.x']\n", "scripts..x.file: '.x.rhai' is not a visible .rhai"),
        (APP + "[scripts.x]\nfile = 'greet.rhai'\n[scripts.greet]\n", "two scripts have the same file"),
        (
            APP + "[[routes]]\nscript = 'greet'\npath = 'x'\n",
            "routes[1].path (ANY x): a path starts with '/'",
        ),
        (APP + "[[routes]]\nscript = 'greet'\npath = '/x'\nmethod = 'GO'\n", "routes[1].method (GO /x): "),
        (APP + "[[routes]]\nscript = 'greet'\npath = '/x'\nhost = '*'\n", "routes[1].host (ANY /x): "),
        (APP + "[[routes]]\nscript = 'nobody'\npath = '/x'\n", "script 'nobody' not found in this folder"),
        (
            APP + "".join(f"[[routes]]\nscript = 'greet'\npath = '/:{name}'\n" for name in "ab"),
            "routes[2] (ANY /:b): it conflicts with ANY /:a: some requests are both routes'",
        ),
        (
            APP + "[scripts.greet]\nkind = 'module'\n[[routes]]\nscript = 'greet'\npath = '/x'\n",
            "greet is a module, which cannot handle a route",
        ),
        (APP + "domains = ['a b']\n", "app.domains[1]: this is not a host name"),
        (
            APP + "domains = []\n[[routes]]\nscript = 'greet'\npath = '/x'\nhost = 'a.example.com'\n",
            "no domain of the app covers a.example.com",
        ),
        (APP + "slug = 'again'\n", "is not valid TOML: "),
        (APP + "domains = 'a.example.com'\n", "app.domains: must be a list"),
        (APP + "[routes]\npath = '/x'\n", "routes: a route begins with [[routes]], in double brackets"),
        (APP + 2 * "[routes]\npath = '/x'\n", "; a route begins with [[routes]], in double brackets"),
        ("[app\n", "is not valid TOML: "),
        (APP + "x = " + "1" * 5000, "is not valid TOML"),
        (APP + "x = " + "[" * 20_000, "is not valid TOML"),
    ],
)
def test_an_error_names_its_key(tmp_path: Path, document: str, says: str) -> None:
    with pytest.raises(Failure) as caught:
        load(folder(tmp_path, document, greet="1"))
    assert says in caught.value.message
    assert str(tmp_path / "picloud.toml") in caught.value.message
    assert caught.value.exit_code == WRONG_USE


def test_a_folder_without_the_file_says_how_to_create_it(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="picloud pull"):
        load(tmp_path)


def test_a_script_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    folder(tmp_path, APP)
    (tmp_path / "latin.rhai").write_bytes(b"\xff")
    with pytest.raises(Failure, match=r"latin\.rhai .*0"):
        load(tmp_path)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("1")
    inner = tmp_path / "project"
    inner.mkdir()
    (folder(inner, APP) / "x.rhai").symlink_to(secret)
    with pytest.raises(Failure, match=r"x\.rhai"):
        load(inner)


@pytest.mark.parametrize("entry", ["", "[scripts.x]\n", "[scripts.x]\nfile = 'x.rhai'\n"])
def test_a_link_to_another_kind_of_file_is_not_followed(tmp_path: Path, entry: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("token")
    (folder(tmp_path, APP + entry) / "x.rhai").symlink_to(tmp_path / ".git" / "config")
    with pytest.raises(Failure, match=r"x\.rhai'? links"):
        load(tmp_path)


def test_the_format_is_stable_to_the_byte() -> None:
    """Another format would make every folder that was pulled before look edited by hand."""
    scripts = {
        "greet": ProjectScript(
            "greet", "1", "endpoint", "Says \u202e hello", "members", {"timeout_seconds": 5}
        ),
        "ö b": ProjectScript("ö b", "1", "module", "", "routed", {}),
    }
    routes = (
        ProjectRoute("greet", "GET", "/x/:id"),
        ProjectRoute("greet", None, "/y", "a.example.com", "async"),
    )
    project = Project(
        "shop",
        "Shop",
        "",
        ("a.example.com", "b.example.com"),
        scripts,
        {"greet": "greet.rhai", "ö b": "b.rhai"},
        routes,
    )
    assert (
        text.write(project)
        == """\
[app]
slug = "shop"
name = "Shop"
domains = ["a.example.com", "b.example.com"]

[scripts.greet]
description = "Says \\u202e hello"
execute_access = "members"
sandbox = { timeout_seconds = 5 }

[scripts."ö b"]
file = "b.rhai"
kind = "module"

[[routes]]
script = "greet"
method = "GET"
path = "/x/:id"

[[routes]]
script = "greet"
path = "/y"
host = "a.example.com"
dispatch_mode = "async"
"""
    )


_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)


@st.composite
def remotes(draw: st.DrawFn) -> Remote:
    names = draw(st.sets(NAMES.map(str.strip).filter(bool), max_size=5))
    scripts = {
        name: ProjectScript(
            name,
            draw(_TEXT),
            draw(st.sampled_from(["endpoint", "module"])),
            draw(_TEXT),
            draw(st.sampled_from(["open", "members", "routed"])),
            draw(st.dictionaries(st.sampled_from(["max_fuel", "timeout_seconds"]), st.integers(1, 9))),
            draw(st.sampled_from(["none", "errors", "all", "app"])),
        )
        for name in names
    }
    endpoints = [name for name, script in scripts.items() if script.kind == "endpoint"]
    routes = {}
    if endpoints:
        script = draw(st.sampled_from(endpoints))
        routes = {
            ProjectRoute(script, None, "/x", "any", "async"): "1",
            ProjectRoute(script, "GET", "/%20/:id"): "2",
        }
    settings = {
        "record_bodies": draw(st.sampled_from(["none", "errors", "all"])),
        "public_errors": draw(st.booleans()),
    }
    return Remote(
        "app", "shop", draw(_TEXT), draw(_TEXT), {"localhost": "1"}, scripts, {}, routes, settings=settings
    )


@given(remotes())
def test_an_app_is_read_back_from_its_folder(remote: Remote) -> None:
    files = file_names(remote.scripts, {})
    project = text.project_of("shop", remote, files)
    written = text.write(project)
    place = Path(tempfile.mkdtemp())
    try:
        (place / "picloud.toml").write_text(written, "utf-8", newline="")
        for name, file in files.items():
            (place / file).write_bytes(remote.scripts[name].source.encode())
        read = load(place)
    finally:
        shutil.rmtree(place)
    assert text.write(read) == written
    assert read.files == files
    assert {name: one.source for name, one in read.scripts.items()} == {
        name: one.source for name, one in remote.scripts.items()
    }
    for name, one in remote.scripts.items():
        said = read.scripts[name]
        for attribute, default in text.DEFAULTS.items():
            value = getattr(said, attribute)
            assert getattr(one, attribute) == (default if value is None else value)
    assert (read.name, read.description or "") == (remote.name, remote.description)
    assert set(read.routes or ()) == set(remote.routes)
