"""Reads an app from a server, and applies the steps of a plan."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from picloud.cli.exits import DOES_NOT_PARSE, NOT_FOUND, Failure
from picloud.cli.remote.client import ApiError, Client, Json, Unreachable
from picloud.cli.remote.context import parse_error
from picloud.cli.remote.folder.model import Project, ProjectRoute, ProjectScript, Remote, RemoteRef
from picloud.cli.remote.folder.plan import Step
from picloud.core.validation import VARIABLE_NAME

_AT_ONCE = 8
_CALLS = {
    ("app", "create"): ("POST", "apps"),
    ("app", "update"): ("PATCH", "apps/{app}"),
    ("settings", "update"): ("PATCH", "apps/{app}/settings"),
    ("domain", "create"): ("POST", "apps/{app}/domains"),
    ("domain", "delete"): ("DELETE", "apps/{app}/domains/{id}"),
    ("variable", "create"): ("PUT", "apps/{app}/vars/{id}"),
    ("variable", "update"): ("PUT", "apps/{app}/vars/{id}"),
    ("variable", "delete"): ("DELETE", "apps/{app}/vars/{id}"),
    ("script", "create"): ("POST", "apps/{app}/scripts"),
    ("script", "update"): ("PATCH", "scripts/{id}"),
    ("script", "delete"): ("DELETE", "scripts/{id}"),
    ("route", "create"): ("POST", "apps/{app}/routes"),
    ("route", "update"): ("PATCH", "apps/{app}/routes/{id}"),
    ("route", "delete"): ("DELETE", "apps/{app}/routes/{id}"),
}


def _encodable(text: str) -> str:
    text.encode()  # JSON can hold half of a character, a file cannot
    return text


_Text = Annotated[str, AfterValidator(_encodable)]


class _Item(BaseModel):
    """A part of a response that is written into a folder or printed; strictly validated."""

    model_config = ConfigDict(strict=True, frozen=True)


class _Identified(_Item):
    id: _Text


class _App(_Identified):
    slug: str = Field(pattern="^[a-z0-9][a-z0-9-]{0,62}$")  # it becomes the name of a folder
    name: _Text
    description: _Text


class _Domain(_Identified):
    pattern: _Text


class _Script(_Identified):
    name: _Text
    source: _Text
    kind: _Text
    description: _Text
    execute_access: _Text
    sandbox: dict[_Text, int]
    record_bodies: _Text | None
    version: int


class _Settings(_Item):
    record_bodies: _Text
    public_errors: bool


class _Route(_Identified):
    script_id: _Text
    method: _Text | None
    path: _Text
    host: _Text
    dispatch_mode: _Text


class _Variable(_Item):
    name: _Text = Field(pattern=f"^{VARIABLE_NAME}$")
    value: _Text


_Any = TypeVar("_Any", bound=_Item)


def _checked(client: Client, kind: type[_Any], item: Json) -> _Any:
    try:
        return kind.model_validate(item)
    except ValidationError as error:
        raise Unreachable(f"{client.url} responds, but is not a PiCloud server") from error


async def read(client: Client, slug: str) -> Remote:
    """Read an app.

    Args:
        client: of the server.
        slug: of the app.

    Returns:
        The current state; a `Remote` without id if the app does not exist.

    Raises:
        ApiError, Unreachable: it cannot be read.
    """
    try:
        app = _checked(client, _App, await client.call("GET", "apps/{app}", app=slug))
    except ApiError as refused:
        if refused.exit_code == NOT_FOUND:
            return Remote()
        raise
    nouns = ("domains", "scripts", "routes", "vars")
    lists = await asyncio.gather(*(client.items(f"apps/{{app}}/{noun}", app=app.id) for noun in nouns))
    settings = _checked(client, _Settings, await client.call("GET", "apps/{app}/settings", app=app.id))
    domains = [_checked(client, _Domain, one) for one in lists[0]]
    ids = [_checked(client, _Identified, one).id for one in lists[1]]
    whole = await _each(ids, lambda id_: client.call("GET", "scripts/{id}", id=id_))
    scripts = [_checked(client, _Script, one) for one in whole]
    routes = [_checked(client, _Route, one) for one in lists[2]]
    variables = [_checked(client, _Variable, one) for one in lists[3]]
    names = {one.id: one.name for one in scripts}
    return Remote(
        app.id,
        app.slug,
        app.name,
        app.description,
        {one.pattern: one.id for one in domains},
        {one.name: _script(one) for one in scripts},
        {one.name: RemoteRef(one.id, one.version) for one in scripts},
        {_route(one, names): one.id for one in routes},
        {one.name: one.value for one in variables},
        settings.model_dump(),
    )


def _script(item: _Script) -> ProjectScript:
    return ProjectScript(
        item.name,
        item.source,
        item.kind,
        item.description,
        item.execute_access,
        item.sandbox,
        item.record_bodies or "app",
    )


def _route(item: _Route, names: Mapping[str, str]) -> ProjectRoute:
    script = names.get(item.script_id) or item.script_id
    return ProjectRoute(script, item.method, item.path, item.host, item.dispatch_mode)


async def validate(
    client: Client, app: str, project: Project, remote: Remote, steps: list[Step]
) -> dict[str, list[str]]:
    """Validate all sources on the server before anything is saved.

    Args:
        client: the client of the server.
        app: id of the app.
        project: the sources and their files.
        remote: the current state of the server.
        steps: the steps of the plan.

    Returns:
        Script name -> its literal imports.

    Raises:
        Failure: sources do not parse; shows each with its line.
    """
    imports: dict[str, list[str]] = {}

    async def check(step: Step) -> str | None:
        there = remote.scripts.get(step.name)
        kind = project.scripts[step.name].kind or (there.kind if there else None) or "endpoint"
        source = project.scripts[step.name].source
        try:
            answer: Json = await client.call(
                "POST", "apps/{app}/scripts:validate", {"source": source, "kind": kind}, app=app
            )
        except ApiError as refused:
            if refused.exit_code != DOES_NOT_PARSE:
                raise
            return parse_error(refused, project.files[step.name], source)
        imports[step.name] = [one["name"] for one in answer["imports"]]
        return None

    saved = [step for step in steps if step.noun == "script" and "source" in step.body]
    errors = [error for error in await _each(saved, check) if error is not None]
    if errors:
        raise Failure("\n".join(["nothing was changed:", *errors]), DOES_NOT_PARSE, "script_invalid")
    return imports


async def apply(
    client: Client,
    app: str,
    remote: Remote,
    steps: list[Step],
    message: str,
    done: Callable[[Step, Json], None],
) -> None:
    """Apply the steps of a plan.

    Args:
        client: the client of the server.
        app: id or slug of the app, also if the plan creates it.
        remote: the current state of the server.
        steps: the steps of the plan.
        message: message of the saved versions.
        done: called after each step with the server's response ({} for a deletion).

    Raises:
        ApiError, Unreachable: a step failed; the previous steps were applied.
    """
    ids = {name: held.id for name, held in remote.held.items()}
    for step in steps:
        method, path = _CALLS[step.noun, step.verb]
        body: Json = dict(step.body)
        if step.script is not None:
            body["script_id"] = ids[step.script]
        if message and step.noun == "script":
            body["message"] = message
        sent = None if method == "DELETE" else body
        # Of modules that import each other and all go, none can be the first without it.
        is_module = step.noun == "script" and step.verb == "delete" and _is_module(remote, step.name)
        query = {"force": "true"} if is_module else None
        answer = await client.call(method, path, sent, query, app=app, id=step.id)
        if step.noun == "script" and answer is not None:
            ids[step.name] = answer["id"]
        done(step, answer or {})


def _is_module(remote: Remote, name: str) -> bool:
    return remote.scripts[name].kind == "module"


async def _each(items: list[Any], work: Callable[[Any], Any]) -> list[Any]:
    """Call a function for each step, a few at once, and return the results in order."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(item: Any) -> Any:
        async with turn:
            return await work(item)

    return list(await asyncio.gather(*(one(item) for item in items)))
