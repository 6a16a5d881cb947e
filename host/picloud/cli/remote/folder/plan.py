"""Plans the steps of a push, in an order that never breaks working routes.

Domains, variables and scripts first, then routes, then deletions. So a route never refers to an object that
does not exist yet, and existing routes keep working. A new route that conflicts with an existing one takes
its place in one step. Pure: it neither reads files nor calls a server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from picloud.cli.exits import CONFLICT, Failure
from picloud.cli.remote.folder.model import SETTINGS, Project, ProjectRoute, ProjectScript, Remote
from picloud.cli.remote.folder.state import State
from picloud.routing.hosts import covering

Noun = Literal["app", "settings", "domain", "variable", "script", "route"]
Verb = Literal["create", "update", "delete"]


@dataclass(frozen=True, slots=True)
class Step:
    """A request to the server.

    Attributes:
        verb: the action.
        noun: the kind of object.
        name: name of the object, for display.
        id: id of the object, if it exists.
        body: the request body; a route's `script_id` is added when it is known.
        script: the new script of a route, if it changes.
        about: the changes, for display.
    """

    verb: Verb
    noun: Noun
    name: str
    id: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    script: str | None = None
    about: str = ""


def make(
    project: Project, remote: Remote, state: State, prune: bool = False, force: bool = False
) -> list[Step]:
    """Plan the steps.

    Args:
        project: the desired state.
        remote: the current state of the server.
        state: the common state after the last sync.
        prune: delete objects missing from the folder.
        force: overwrite changes made on the server since then.

    Returns:
        The steps, in the order they are to be done; none when all is as it should be.

    Raises:
        Failure: it would undo what others did, or cannot be done without `prune`; nothing was done.
    """
    scripts = list(_scripts(project, remote))
    into_modules = [step for step in scripts if step.body.get("kind") == "module" and step.verb == "update"]
    gone = [*_gone_scripts(project, remote), *_gone_domains(project, remote)] if prune else []
    if not force:
        _reject_overwrites([step for step in (*scripts, *gone) if step.noun == "script"], remote, state)
    _reject_dangling([*into_modules, *gone], project, remote, prune)
    return [
        *_app(project, remote),
        *_settings(project, remote),
        *_new_domains(project, remote),
        *_variables(project, remote),
        *(step for step in scripts if step not in into_modules),
        *_routes(project, remote, prune),
        *into_modules,
        *gone,
        *(_gone_variables(project, remote) if prune else ()),
    ]


def left_over(project: Project, remote: Remote) -> list[str]:
    """List the objects on the server that are missing from the folder; `prune` deletes them."""
    routes = [] if project.routes is None else _extra_routes(project, remote)
    kept = {old for old in routes if any(new.replaces(old) for new in _new_routes(project, remote))}
    return [
        *(f"script {step.name}" for step in _gone_scripts(project, remote)),
        *(f"route {route}" for route in routes if route not in kept),
        *(f"domain {step.name}" for step in _gone_domains(project, remote)),
        *(f"variable {step.name}" for step in _gone_variables(project, remote)),
    ]


def _app(project: Project, remote: Remote) -> Iterator[Step]:
    wanted = {"name": project.name, "description": project.description}
    if remote.id is None:
        given = {name: value for name, value in wanted.items() if value is not None}
        yield Step("create", "app", project.slug, body={"slug": project.slug, "name": project.slug, **given})
        return
    changes = {
        name: value for name, value in wanted.items() if value is not None and value != getattr(remote, name)
    }
    if changes:
        yield Step("update", "app", project.slug, remote.id, changes, about=", ".join(changes))


def _settings(project: Project, remote: Remote) -> Iterator[Step]:
    there = remote.settings or SETTINGS  # of a new app
    changes = {name: value for name, value in project.settings.items() if value != there.get(name)}
    if changes:
        about = ", ".join(f"{name} {there.get(name)} -> {value}" for name, value in changes.items())
        yield Step("update", "settings", project.slug, body=changes, about=about)


def _new_domains(project: Project, remote: Remote) -> Iterator[Step]:
    for domain in project.domains or ():
        if domain not in remote.domains:
            yield Step("create", "domain", domain, body={"pattern": domain})


def _gone_domains(project: Project, remote: Remote) -> Iterator[Step]:
    if project.domains is not None:
        for domain, id_ in sorted(remote.domains.items()):
            if domain not in project.domains:
                yield Step("delete", "domain", domain, id_)


def _variables(project: Project, remote: Remote) -> Iterator[Step]:
    for name, value in sorted((project.variables or {}).items()):
        if name not in remote.variables:
            yield Step("create", "variable", name, name, {"value": value})
        elif remote.variables[name] != value:
            yield Step("update", "variable", name, name, {"value": value})


def _gone_variables(project: Project, remote: Remote) -> Iterator[Step]:
    if project.variables is not None:
        for name in sorted(remote.variables.keys() - project.variables.keys()):
            yield Step("delete", "variable", name, name)


def _scripts(project: Project, remote: Remote) -> Iterator[Step]:
    """Plan the scripts: modules first, so that their importers find them."""
    for name in sorted(project.scripts, key=lambda name: (project.scripts[name].kind != "module", name)):
        wanted, there = project.scripts[name], remote.scripts.get(name)
        if there is None:
            yield Step("create", "script", name, body=_as_json(_given_fields(wanted)))
            continue
        changes = _changes(wanted, there)
        if changes:
            held = remote.held[name]
            about = ", ".join(_describe_change(field, there, wanted) for field in changes)
            yield Step(
                "update", "script", name, held.id, _as_json({**changes, "version": held.version}), about=about
            )


def _given_fields(script: ProjectScript) -> dict[str, Any]:
    fields = ("name", "source", "kind", "description", "execute_access", "sandbox", "record_bodies")
    return {name: value for name in fields if (value := getattr(script, name)) is not None}


def _as_json(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields as the API takes them: for a body rule of the app, null."""
    return {**fields, "record_bodies": None} if fields.get("record_bodies") == "app" else fields


def _changes(wanted: ProjectScript, there: ProjectScript) -> dict[str, Any]:
    changes = {name: value for name, value in _given_fields(wanted).items() if value != getattr(there, name)}
    if "sandbox" in changes:  # a merge patch: null removes
        changes["sandbox"] = {**dict.fromkeys(there.sandbox or {}), **changes["sandbox"]}
    return changes


def _describe_change(field: str, there: ProjectScript, wanted: ProjectScript) -> str:
    if field in ("source", "description"):
        return field
    return f"{field} {_format_value(getattr(there, field))} -> {_format_value(getattr(wanted, field))}"


def _format_value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {number}" for name, number in sorted(value.items())) + "}"
    return str(value)


def _gone_scripts(project: Project, remote: Remote) -> Iterator[Step]:
    for name in sorted(remote.scripts):
        if name not in project.scripts:
            yield Step("delete", "script", name, remote.held[name].id)


def _extra_routes(project: Project, remote: Remote) -> list[ProjectRoute]:
    keys = {route.match_key for route in project.routes or ()}
    return [route for route in remote.routes if route.match_key not in keys]


def _new_routes(project: Project, remote: Remote) -> list[ProjectRoute]:
    keys = {route.match_key for route in remote.routes}
    return [route for route in project.routes or () if route.match_key not in keys]


def _routes(project: Project, remote: Remote, prune: bool) -> Iterator[Step]:
    if project.routes is None:
        return
    there = {route.match_key: route for route in remote.routes}
    extra = dict.fromkeys(_extra_routes(project, remote))
    candidates: dict[tuple[str | None, str], list[ProjectRoute]] = {}  # only such can be in each other's way
    for route in extra:
        candidates.setdefault((route.method, route.pattern.stem), []).append(route)
    for wanted in project.routes:
        old = there.get(wanted.match_key)
        if old is None:
            near = candidates.get((wanted.method, wanted.pattern.stem), [])
            conflicting = [route for route in near if route in extra and wanted.conflicts(route)]
            for route in conflicting:
                del extra[route]
            yield from _new_route(wanted, conflicting, remote, prune)
        elif old != wanted:
            yield _changed_route(old, wanted, remote)
    if prune:
        for route in extra:
            yield Step("delete", "route", str(route), remote.routes[route])


def _new_route(
    wanted: ProjectRoute, conflicting: list[ProjectRoute], remote: Remote, prune: bool
) -> Iterator[Step]:
    """Add a route; one conflicting route is changed into it, the others are deleted."""
    if not conflicting:
        body = {"method": wanted.method, "host": wanted.host, "path": wanted.path}
        yield Step(
            "create",
            "route",
            str(wanted),
            body={**body, "dispatch_mode": wanted.dispatch_mode},
            script=wanted.script,
            about=wanted.script,
        )
        return
    if not prune and not wanted.replaces(conflicting[0]):
        others = ", ".join(map(str, conflicting))
        raise _conflict(
            f"the route {wanted} conflicts with {others}, which is on the server but not in the folder; "
            "use --prune to replace it"
        )
    for route in conflicting[1:]:
        yield Step("delete", "route", str(route), remote.routes[route])
    yield _changed_route(conflicting[0], wanted, remote)


def _changed_route(old: ProjectRoute, wanted: ProjectRoute, remote: Remote) -> Step:
    names = ("method", "host", "path", "dispatch_mode")
    changes = {name: getattr(wanted, name) for name in names if getattr(wanted, name) != getattr(old, name)}
    moved = old.match_key != wanted.match_key
    about = [f"was {old}"] if moved else []
    if wanted.script != old.script:
        about.append(f"{old.script} -> {wanted.script}")
    if wanted.dispatch_mode != old.dispatch_mode:
        about.append(wanted.dispatch_mode)
    script = wanted.script if wanted.script != old.script else None
    return Step("update", "route", str(wanted), remote.routes[old], changes, script, ", ".join(about))


def _reject_overwrites(steps: list[Step], remote: Remote, state: State) -> None:
    """Reject steps that overwrite changes made on the server since the last sync."""
    if not state.has_synced:
        return
    changed = []
    for step in steps:
        base = state.scripts.get(step.name)
        if step.verb == "create" and base is not None:
            changed.append(f"{step.name} (deleted on the server)")
        elif step.verb != "create" and base is None:
            changed.append(f"{step.name} (new on the server)")
        elif base is not None and base.version != remote.held[step.name].version:
            changed.append(f"{step.name} (version {remote.held[step.name].version}, here {base.version})")
    if changed:
        raise _conflict(
            f"changed on the server since the last pull or push: {', '.join(changed)}; "
            "pull first, or use --force to overwrite these changes"
        )


def _reject_dangling(leaving: list[Step], project: Project, remote: Remote, prune: bool) -> None:
    """Reject steps that would break routes: without their script, endpoint or host."""
    staying = list(remote.routes)
    if project.routes is not None:
        keys = {route.match_key for route in project.routes}
        extra = [] if prune else [route for route in remote.routes if route.match_key not in keys]
        staying = [*project.routes, *extra]
    for step in leaving:
        needing = [route for route in staying if _needs(route, step, project)]
        if needing:
            routes = ", ".join(map(str, needing))
            what = "become a module" if step.verb == "update" else "be deleted"
            hint = "; use --prune to delete them" if not prune and project.routes is not None else ""
            raise _conflict(f"the {step.noun} {step.name} cannot {what}: routes need it: {routes}{hint}")
    for route in project.routes or ():
        kind = project.scripts[route.script].kind
        if kind is None and route.script in remote.scripts:
            kind = remote.scripts[route.script].kind
        if kind == "module":
            raise _conflict(f"the route {route}: {route.script} is a module, which cannot handle a route")


def _needs(route: ProjectRoute, step: Step, project: Project) -> bool:
    """Report whether a route depends on what a step removes."""
    if step.noun == "script":
        return route.script == step.name
    claims = covering(route.pattern.host.shape)
    kept = project.domains or ()
    return route.host != "any" and step.name in claims and not any(claim in kept for claim in claims)


def _conflict(message: str) -> Failure:
    return Failure(message, CONFLICT, "conflict")
