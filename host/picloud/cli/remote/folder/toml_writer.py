"""Writes `picloud.toml`; see `project.py` for its grammar.

The output is stable to the byte: if a `picloud.toml` differs from it, the user has edited it, and `pull`
requires --force. tomli-w 1.2 formats arrays, inline tables and `[[routes]]` differently, and does not escape
control and bidirectional characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from picloud.cli.remote.atomic_file import toml_key, toml_text
from picloud.cli.remote.folder.file_names import SUFFIX, script_name
from picloud.cli.remote.folder.model import SETTINGS, Project, ProjectRoute, ProjectScript, Remote

DEFAULTS: Mapping[str, object] = {
    "kind": "endpoint",
    "description": "",
    "execute_access": "routed",
    "sandbox": {},
    "record_bodies": "app",
}
"""Defaults of a new script."""


def project_of(slug: str, remote: Remote, files: Mapping[str, str]) -> Project:
    """Return the project for an app on a server, with all values except defaults.

    Args:
        slug: slug of the app.
        remote: the app on the server.
        files: script name -> file.
    """
    return arranged(
        Project(
            slug,
            remote.name,
            remote.description,
            tuple(remote.domains),
            dict(remote.scripts),
            dict(files),
            tuple(remote.routes),
            dict(remote.variables) or None,
            {name: value for name, value in remote.settings.items() if value != SETTINGS[name]},
        )
    )


def arranged(project: Project) -> Project:
    """Sort domains and routes in the order that `pull` writes."""
    domains, routes = project.domains, project.routes
    if domains is not None:
        domains = tuple(sorted(domains))
    if routes is not None:
        routes = tuple(sorted(routes, key=lambda route: (route.path, route.method or "", route.host)))
    return replace(project, domains=domains, routes=routes)


def write(project: Project) -> str:
    """Return the content of `picloud.toml`."""
    lines = ["[app]", f"slug = {toml_text(project.slug)}"]
    if project.name is not None:
        lines.append(f"name = {toml_text(project.name)}")
    if project.description:
        lines.append(f"description = {toml_text(project.description)}")
    if project.domains is not None:
        lines.append(f"domains = [{', '.join(map(toml_text, project.domains))}]")
    lines += [f"{name} = {_toml(value)}" for name, value in sorted(project.settings.items())]
    if project.routes == ():
        # TOML wants it above all tables, and will not have it beside the [[routes]] that people add below.
        lines = ["routes = []  # none; [[routes]] take the place of this line", "", *lines]
    if project.variables is not None:
        entries = sorted(project.variables.items())
        lines += ["", "[vars]", *(f"{name} = {toml_text(value)}" for name, value in entries)]
    for name, script in sorted(project.scripts.items()):
        entry = _entry(script, project.files[name])
        if entry:
            lines += ["", f"[scripts.{toml_key(name)}]", *entry]
    for route in project.routes or ():
        lines += ["", "[[routes]]", *_route(route)]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else toml_text(str(value))


def _entry(script: ProjectScript, file: str) -> list[str]:
    lines = []
    # File systems may spell accents in another way, so only ASCII names go without saying.
    if script_name(file) != script.name or file != script.name + SUFFIX or not file.isascii():
        lines.append(f"file = {toml_text(file)}")
    for field in ("kind", "description", "execute_access", "record_bodies"):
        value = getattr(script, field)
        if value not in (None, DEFAULTS[field]):
            lines.append(f"{field} = {toml_text(value)}")
    if script.sandbox:
        limits = ", ".join(f"{toml_key(name)} = {value}" for name, value in sorted(script.sandbox.items()))
        lines.append(f"sandbox = {{ {limits} }}")
    return lines


def _route(route: ProjectRoute) -> list[str]:
    fields = {"script": route.script, "method": route.method, "path": route.path}
    fields |= {"host": None if route.host == "any" else route.host}
    fields |= {"dispatch_mode": None if route.dispatch_mode == "sync" else route.dispatch_mode}
    return [f"{name} = {toml_text(value)}" for name, value in fields.items() if value is not None]
