"""Plans, applied to a model of a server with the rules of the server."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.cli.exits import CONFLICT, Failure
from picloud.cli.remote.folder import plan
from picloud.cli.remote.folder.model import Project, ProjectRoute, ProjectScript, Remote, RemoteRef
from picloud.cli.remote.folder.plan import Step
from picloud.cli.remote.folder.state import Base, State, digest
from picloud.routing.hosts import covering

_NEVER_MET = State()


@dataclass
class Model:
    """A server with one app; every step is refused that the API would refuse."""

    exists: bool = True
    name: str = "Shop"
    description: str = ""
    domains: dict[str, str] = field(default_factory=dict)
    scripts: dict[str, ProjectScript] = field(default_factory=dict)
    held: dict[str, RemoteRef] = field(default_factory=dict)
    routes: dict[str, ProjectRoute] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def remote(self) -> Remote:
        if not self.exists:
            return Remote()
        routes = {route: id_ for id_, route in self.routes.items()}
        return Remote(
            "app",
            "shop",
            self.name,
            self.description,
            dict(self.domains),
            dict(self.scripts),
            dict(self.held),
            routes,
            dict(self.variables),
        )

    def new_id(self) -> str:
        return f"id-{next(self.numbers)}"

    def do(self, step: Step) -> None:
        assert self.exists or (step.noun, step.verb) == ("app", "create")
        getattr(self, f"_{step.noun}")(step)

    def _app(self, step: Step) -> None:
        self.exists = True
        self.name = step.body.get("name", self.name)
        self.description = step.body.get("description", self.description)

    def _domain(self, step: Step) -> None:
        if step.verb == "create":
            assert step.name not in self.domains
            self.domains[step.name] = self.new_id()
            return
        assert self.domains.pop(step.name) == step.id
        assert all(self._covered(route) for route in self.routes.values()), "409: routes need the domain"

    def _variable(self, step: Step) -> None:
        assert step.id == step.name
        assert (step.verb == "create") != (step.name in self.variables)
        if step.verb == "delete":
            del self.variables[step.name]
        else:
            self.variables[step.name] = step.body["value"]

    def _script(self, step: Step) -> None:
        pointing = [route for route in self.routes.values() if route.script == step.name]
        if step.verb == "delete":
            assert not pointing, "409: routes point at the script"
            assert self.held[step.name].id == step.id
            del self.scripts[step.name], self.held[step.name]
            return
        body = dict(step.body)
        if step.verb == "create":
            assert step.name not in self.scripts
            made = {"kind": "endpoint", "description": "", "execute_access": "open", "sandbox": {}, **body}
            self.scripts[step.name], self.held[step.name] = ProjectScript(**made), RemoteRef(self.new_id(), 1)
            return
        assert self.held[step.name] == RemoteRef(step.id, body.pop("version")), "409: another version"
        old = self.scripts[step.name]
        if "sandbox" in body:
            merged = {**(old.sandbox or {}), **body["sandbox"]}
            body["sandbox"] = {name: value for name, value in merged.items() if value is not None}
        self.scripts[step.name] = replace(old, **body)
        self.held[step.name] = replace(self.held[step.name], version=self.held[step.name].version + 1)
        assert self.scripts[step.name].kind == "endpoint" or not pointing, "409: routes point at a module"

    def _route(self, step: Step) -> None:
        if step.verb == "delete":
            del self.routes[step.id]
            return
        changes = dict(step.body) | ({"script": step.script} if step.script else {})
        id_ = step.id or self.new_id()
        route = replace(self.routes[id_], **changes) if step.id else ProjectRoute(**changes)
        assert self.scripts[route.script].kind == "endpoint", "422: a module cannot answer"
        assert self._covered(route), "422: no domain covers the host"
        others = [other for other_id, other in self.routes.items() if other_id != id_]
        assert not any(route.conflicts(other) for other in others), "409: a route matches the same requests"
        self.routes[id_] = route

    def _covered(self, route: ProjectRoute) -> bool:
        return route.host == "any" or any(
            claim in self.domains for claim in covering(route.pattern.host.shape)
        )


_NAMES = st.sampled_from(["a", "b", "c", "d"])
_HOSTS = st.sampled_from(["any", "h.example.com", "*.example.com", ":t.example.com"])
_PATHS = st.sampled_from(["/x", "/x/:id", "/x/:name", "/x/*", "/:a/b", "/y/:b", "/:c/:d", "/*"])
_ROUTES = st.lists(
    st.builds(
        ProjectRoute,
        _NAMES,
        st.sampled_from([None, "GET"]),
        _PATHS,
        _HOSTS,
        st.sampled_from(["sync", "async"]),
    ),
    max_size=8,
)
_DOMAINS = st.sets(st.sampled_from(["h.example.com", "*.example.com", "localhost"]))
_VARIABLES = st.dictionaries(st.sampled_from(["A", "B", "C"]), st.sampled_from(["", "1"]))
_SANDBOX = st.dictionaries(st.sampled_from(["max_fuel", "timeout_seconds"]), st.integers(1, 3))


def _scripts(optional: bool) -> st.SearchStrategy[dict[str, ProjectScript]]:
    def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.none() | values if optional else values

    script = st.builds(
        ProjectScript,
        name=st.just(""),
        source=st.sampled_from(["1", "2", "3"]),
        kind=st.sampled_from(["endpoint", "endpoint", "module"]),
        description=maybe(st.sampled_from(["", "it"])),
        execute_access=maybe(st.sampled_from(["open", "members"])),
        sandbox=maybe(_SANDBOX),
    )
    return st.dictionaries(_NAMES, script).map(
        lambda scripts: {name: replace(script, name=name) for name, script in scripts.items()}
    )


def _consistent(
    routes: list[ProjectRoute], scripts: dict[str, ProjectScript], domains: set[str]
) -> list[ProjectRoute]:
    """Those of the routes that an app can have at once."""
    kept: list[ProjectRoute] = []
    for route in routes:
        script = scripts.get(route.script)
        covered = route.host == "any" or any(claim in domains for claim in covering(route.pattern.host.shape))
        if (
            covered
            and script is not None
            and script.kind == "endpoint"
            and not any(route.conflicts(other) for other in kept)
        ):
            kept.append(route)
    return kept


@st.composite
def models(draw: st.DrawFn) -> Model:
    model = Model(draw(st.booleans()), draw(st.sampled_from(["Shop", "Other"])))
    if not model.exists:
        return model
    scripts, domains = draw(_scripts(optional=False)), draw(_DOMAINS)
    model.scripts = scripts
    model.held = {name: RemoteRef(model.new_id(), draw(st.integers(1, 3))) for name in scripts}
    model.domains = {domain: model.new_id() for domain in sorted(domains)}
    model.variables = draw(_VARIABLES)
    model.routes = {model.new_id(): route for route in _consistent(draw(_ROUTES), scripts, domains)}
    return model


@st.composite
def projects(draw: st.DrawFn) -> Project:
    scripts, domains = draw(_scripts(optional=True)), draw(_DOMAINS)
    routes = _consistent(draw(_ROUTES), scripts, domains)
    return Project(
        "shop",
        draw(st.none() | st.sampled_from(["Shop", "Other"])),
        draw(st.none() | st.sampled_from(["", "sells"])),
        tuple(sorted(domains)),
        scripts,
        {name: f"{name}.rhai" for name in scripts},
        tuple(routes),
        draw(_VARIABLES),
    )


def _done(project: Project, model: Model, *, prune: bool) -> list[Step]:
    """Make the plan and do it; what answered before and is wanted answers after every step."""
    steps = plan.make(project, model.remote, _NEVER_MET, prune)
    places = {route.match_key for route in project.routes or ()}
    works = {route.match_key for route in model.routes.values()} & places
    for step in steps:
        model.do(step)
        assert works <= {route.match_key for route in model.routes.values()}, step
    return steps


def _has(model: Model, project: Project) -> None:
    """The model has all that the project says."""
    for name, wanted in project.scripts.items():
        there = model.scripts[name]
        for attribute in ("source", "kind", "description", "execute_access", "sandbox"):
            value = getattr(wanted, attribute)
            assert value is None or getattr(there, attribute) == value
    assert set(project.routes or ()) <= set(model.routes.values())
    assert set(project.domains or ()) <= set(model.domains)
    assert (project.variables or {}).items() <= model.variables.items()
    assert project.name in (None, model.name)
    assert project.description in (None, model.description)


@given(projects(), models())
def test_a_plan_with_prune_makes_the_server_equal_to_the_folder(project: Project, model: Model) -> None:
    _done(project, model, prune=True)
    _has(model, project)
    assert set(model.scripts) == set(project.scripts)
    assert sorted(map(str, model.routes.values())) == sorted(map(str, project.routes or ()))
    assert set(model.domains) == set(project.domains or ())
    assert model.variables == project.variables
    assert plan.make(project, model.remote, _NEVER_MET, prune=True) == []
    assert plan.left_over(project, model.remote) == []


@given(projects(), models())
def test_a_plan_without_prune_deletes_nothing_and_a_second_one_has_nothing_to_do(
    project: Project, model: Model
) -> None:
    scripts, domains, routes = set(model.scripts), set(model.domains), set(model.routes)
    variables = set(model.variables)
    try:
        steps = _done(project, model, prune=False)
    except Failure as failure:
        if failure.exit_code != CONFLICT:
            raise
        return
    _has(model, project)
    assert all(step.verb != "delete" for step in steps)
    assert scripts <= set(model.scripts)
    assert domains <= set(model.domains)
    assert routes <= set(model.routes)
    assert variables <= set(model.variables)
    assert plan.make(project, model.remote, _NEVER_MET) == []


@given(projects(), models())
def test_objects_missing_from_the_folder_are_kept(project: Project, model: Model) -> None:
    silent = Project(project.slug)
    before = model.remote
    assert before.id is None or plan.make(silent, before, _NEVER_MET) == []


_SCRIPT = ProjectScript("a", "1", "endpoint", "", "open", {})


def _server(version: int = 3, *routes: ProjectRoute) -> Remote:
    return Remote(
        "app",
        "shop",
        "Shop",
        scripts={"a": _SCRIPT},
        held={"a": RemoteRef("id-a", version)},
        routes={route: f"id-{number}" for number, route in enumerate(routes)},
    )


def _met(version: int) -> State:
    return State(True, {"a": Base(version, digest("1"), "a.rhai")})


def test_a_script_changed_on_the_server_is_overwritten_only_with_force() -> None:
    project = Project("shop", scripts={"a": ProjectScript("a", "2")})
    with pytest.raises(Failure, match=r"\ba .*3.*2") as caught:
        plan.make(project, _server(), _met(2))
    assert caught.value.exit_code == CONFLICT
    (step,) = plan.make(project, _server(), _met(2), force=True)
    assert step.body == {"source": "2", "version": 3}
    assert len(plan.make(project, _server(), _met(3))) == 1


def test_a_script_changed_to_the_wanted_state_is_not_a_conflict() -> None:
    assert plan.make(Project("shop", scripts={"a": ProjectScript("a", "1")}), _server(), _met(2)) == []


@pytest.mark.parametrize(("state", "why"), [(State(True), "new"), (_met(2), r"3.*2")])
def test_a_new_or_changed_script_is_pruned_only_with_force(state: State, why: str) -> None:
    with pytest.raises(Failure, match=why):
        plan.make(Project("shop"), _server(), state, prune=True)
    assert [step.verb for step in plan.make(Project("shop"), _server(), state, prune=True, force=True)] == [
        "delete"
    ]


def test_a_deleted_script_is_created_again_only_with_force() -> None:
    project = Project("shop", scripts={"a": ProjectScript("a", "2")})
    gone = replace(_server(), scripts={}, held={})
    with pytest.raises(Failure, match="deleted"):
        plan.make(project, gone, _met(3))
    assert [step.verb for step in plan.make(project, gone, _met(3), force=True)] == ["create"]


def test_renaming_a_parameter_changes_the_route_in_place() -> None:
    old, new = ProjectRoute("a", "GET", "/x/:id"), ProjectRoute("a", "GET", "/x/:name")
    project = Project("shop", scripts={"a": ProjectScript("a", "1")}, routes=(new,))
    (step,) = plan.make(project, _server(3, old), _NEVER_MET)
    assert (step.verb, step.id, step.body, step.script) == ("update", "id-0", {"path": "/x/:name"}, None)
    assert plan.left_over(project, _server(3, old)) == []


def test_a_conflicting_route_is_replaced_only_with_prune() -> None:
    old, new = ProjectRoute("a", "GET", "/:x/b/:y"), ProjectRoute("a", "GET", "/:x/:z/c")
    project = Project("shop", scripts={"a": ProjectScript("a", "1")}, routes=(new,))
    with pytest.raises(Failure, match="--prune"):
        plan.make(project, _server(3, old), _NEVER_MET)
    (step,) = plan.make(project, _server(3, old), _NEVER_MET, prune=True)
    assert (step.verb, step.id) == ("update", "id-0")


def test_a_script_with_routes_cannot_become_a_module() -> None:
    project = Project("shop", scripts={"a": ProjectScript("a", "1", "module")})
    with pytest.raises(Failure, match=r"script a .*GET /x"):
        plan.make(project, _server(3, ProjectRoute("a", "GET", "/x")), _NEVER_MET)


def test_a_route_to_a_module_on_the_server_is_rejected() -> None:
    module = replace(_server(), scripts={"a": replace(_SCRIPT, kind="module")})
    project = Project(
        "shop", scripts={"a": ProjectScript("a", "1")}, routes=(ProjectRoute("a", "GET", "/x"),)
    )
    with pytest.raises(Failure, match="a is a module"):
        plan.make(project, module, _NEVER_MET)
