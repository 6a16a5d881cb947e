"""Reads a folder: `picloud.toml` and its scripts.

The grammar of `picloud.toml`::

    [app]
    slug = "shop"                      # required
    name = "Shop"                      # absent: not changed on the server
    description = "Sells things."      # absent: not changed
    domains = ["shop.example.com", "*.shop.example.com"]   # absent: not changed; [] means none
    record_bodies = "errors"           # bodies in the execution log: or "none", "all"; absent: not changed
    public_errors = false              # error messages for anonymous callers; absent: not changed

    [vars]                             # absent: not changed; without entries: none
    API_URL = "https://api.example.com"

    [scripts.checkout]                 # only to change defaults
    file = "checkout.rhai"             # default: the name and .rhai; visible, in this folder or below
    kind = "endpoint"                  # or "module"; this and the following keys: absent: not changed
    description = "Takes an order."
    execute_access = "open"            # or "members", "routed"
    sandbox = { max_fuel = 5000000 }   # all its overrides
    record_bodies = "none"             # or "errors", "all"; "app": the setting of the app

    [[routes]]                         # absent: not changed; routes = [] means none
    script = "checkout"
    method = "POST"                    # absent: all methods
    path = "/orders/:id"
    host = "any"                       # default; or a host, "*.example.com", ":tenant.example.com"
    dispatch_mode = "sync"             # default; no server supports "async" yet

Every other visible `*.rhai` file in the folder is a script with the name of the file.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from picloud.cli.exits import wrong_use
from picloud.cli.remote.context import PROJECT, read_text
from picloud.cli.remote.folder.file_names import SUFFIX, is_script_file, script_name
from picloud.cli.remote.folder.model import SETTINGS, Project, ProjectRoute, ProjectScript
from picloud.core.errors import PicloudError
from picloud.core.validation import check_variable
from picloud.core.validation_messages import describe_validation_error
from picloud.routing.hosts import covering, parse_claim, parse_host
from picloud.routing.pattern import parse_method, parse_path


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _AppTable(_Table):
    slug: str
    name: str | None = None
    description: str | None = None
    domains: list[str] | None = None
    record_bodies: Literal["none", "errors", "all"] | None = None
    public_errors: bool | None = None

    @property
    def settings(self) -> dict[str, object]:
        """The settings of the app that are given."""
        given = self.model_dump(include=set(SETTINGS))
        return {name: value for name, value in given.items() if value is not None}


class _ScriptTable(_Table):
    file: str | None = None
    kind: Literal["endpoint", "module"] | None = None
    description: str | None = None
    execute_access: Literal["open", "members", "routed"] | None = None
    sandbox: dict[str, int] | None = None
    record_bodies: Literal["none", "errors", "all", "app"] | None = None


class _RouteTable(_Table):
    script: str
    method: str | None = None
    path: str
    host: str = "any"
    dispatch_mode: Literal["sync", "async"] = "sync"


class _Document(_Table):
    app: _AppTable
    vars: dict[str, str] | None = None
    scripts: dict[str, _ScriptTable] = Field(default_factory=dict)
    routes: list[_RouteTable] | None = None


def load(folder: Path) -> Project:
    """Read a folder.

    Args:
        folder: a folder with a `picloud.toml`.

    Raises:
        Failure: `picloud.toml` or a file it refers to is missing or invalid; the message says where.
    """
    file = folder / PROJECT
    if not file.is_file():
        raise wrong_use(f"{folder} has no {PROJECT}; create one with picloud pull APP")
    document = _parse(read_text(str(file)), str(file))
    files = _files(folder, document, str(file))
    entries = document.scripts
    scripts = {
        name: ProjectScript(
            name,
            read_text(str(folder / path)),
            **(entries[name].model_dump(exclude={"file"}) if name in entries else {}),
        )
        for name, path in files.items()
    }
    app = document.app
    domains = None if app.domains is None else _claims(app.domains, str(file))
    routes = None if document.routes is None else _routes(document.routes, scripts, domains, str(file))
    variables = None if document.vars is None else _variables(document.vars, str(file))
    return Project(
        app.slug, app.name, app.description, domains, scripts, files, routes, variables, app.settings
    )


def _parse(text: str, where: str) -> _Document:
    try:
        return _Document.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        hint = (
            "; a route begins with [[routes]], in double brackets"
            if "('routes',) twice" in str(error)
            else ""
        )
        raise wrong_use(f"{where} is not valid TOML: {error}{hint}") from error
    except ValidationError as error:
        lines = [
            f"{where}: {_place(problem['loc'])}: {_say(problem['loc'], problem['type'], problem['msg'])}"
            for problem in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise wrong_use("\n".join(lines)) from None
    except (ValueError, RecursionError):
        why = "a number has too many digits, or brackets are nested too deeply"
        raise wrong_use(f"{where} is not valid TOML: {why}") from None


def _place(parts: tuple[int | str, ...]) -> str:
    """Format a path such as `routes[2].path`; indexes start at 1."""
    return "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(
        "."
    )


def _say(place: tuple[int | str, ...], kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "unknown key"
    if place == ("routes",) and kind == "list_type":
        return "a route begins with [[routes]], in double brackets"
    return describe_validation_error(kind, message)


def _files(folder: Path, document: _Document, where: str) -> dict[str, str]:
    """Return script name -> file, from the entries and the other files."""
    named = {name: entry.file or name + SUFFIX for name, entry in document.scripts.items()}
    for name, path in named.items():
        if (problem := _unfit(folder, path)) is not None:
            raise wrong_use(f"{where}: scripts.{name}.file: {path!r} {problem}")
        if not (folder / path).is_file():
            raise wrong_use(f"{where}: scripts.{name}: file {path!r} not found")
    taken = {(folder / path).resolve() for path in named.values()}
    if len(taken) < len(named):
        raise wrong_use(f"{where}: two scripts have the same file")
    found = dict(named)
    for file in sorted(folder.glob(f"*{SUFFIX}")):
        if file.name.startswith(".") or not file.is_file() or file.resolve() in taken:
            continue
        if (problem := _unfit(folder, file.name)) is not None:
            raise wrong_use(f"{file} {problem}")
        name = script_name(file.name)
        if name in found:
            raise wrong_use(f"{file} and {found[name]} are both the script {name!r}")
        found[name] = file.name
    return dict(sorted(found.items()))


def _unfit(folder: Path, path: str) -> str | None:
    """Return why a file is not accepted as a script, so that a typing error does not upload other files."""
    root = folder.resolve()
    if "\0" in path or not (meant := (folder / path).resolve()).is_relative_to(root):
        is_link = "\0" not in path and (folder / path).is_symlink()
        return "is a link that leads out of the folder" if is_link else "is outside the folder"
    if not is_script_file(path):
        return f"is not a visible {SUFFIX} file"
    if not is_script_file(str(meant.relative_to(root))):
        return f"links to something that is not a visible {SUFFIX} file"
    return None


def _claims(domains: list[str], where: str) -> tuple[str, ...]:
    claims = []
    for number, domain in enumerate(domains, 1):
        try:
            claims.append(parse_claim(domain))
        except PicloudError as error:
            raise wrong_use(f"{where}: app.domains[{number}]: {error.message}") from error
    return tuple(dict.fromkeys(claims))


def _variables(entries: dict[str, str], where: str) -> dict[str, str]:
    for name, value in entries.items():
        try:
            check_variable(name, value)
        except PicloudError as error:
            raise wrong_use(f"{where}: vars.{name}: {error.message}") from error
    return entries


def _routes(
    entries: list[_RouteTable], scripts: dict[str, ProjectScript], domains: tuple[str, ...] | None, where: str
) -> tuple[ProjectRoute, ...]:
    routes: list[ProjectRoute] = []
    alike: dict[tuple[str | None, str], list[ProjectRoute]] = {}  # only such can conflict
    for number, entry in enumerate(entries, 1):
        try:
            route = ProjectRoute(
                entry.script,
                parse_method(entry.method),
                str(parse_path(entry.path)),
                str(parse_host(entry.host)),
                entry.dispatch_mode,
            )
        except PicloudError as error:
            field = error.details.get("field")
            shown = f"{entry.method or 'ANY'} {entry.path}"
            raise wrong_use(f"{where}: routes[{number}].{field} ({shown}): {error.message}") from error
        before = alike.setdefault((route.method, route.pattern.stem), [])
        if (problem := _problem(route, before, scripts, domains)) is not None:
            raise wrong_use(f"{where}: routes[{number}] ({route}): {problem}")
        before.append(route)
        routes.append(route)
    return tuple(routes)


def _problem(
    route: ProjectRoute,
    before: list[ProjectRoute],
    scripts: dict[str, ProjectScript],
    domains: tuple[str, ...] | None,
) -> str | None:
    if route.script not in scripts:
        return f"script {route.script!r} not found in this folder"
    if scripts[route.script].kind == "module":
        return f"{route.script} is a module, which cannot handle a route"
    if domains is not None and route.host != "any":
        host = route.pattern.host.shape
        if not any(claim in domains for claim in covering(host)):
            return f"no domain of the app covers {host}"
    other = next((other for other in before if route.conflicts(other)), None)
    return None if other is None else f"it conflicts with {other}: some requests are both routes'"
