"""`picloud routes`."""

from __future__ import annotations

from typing import Any

from picloud.cli.exits import CONFLICT, DONE, NOT_FOUND, Failure, wrong_use
from picloud.cli.remote.client import Json
from picloud.cli.remote.context import Context
from picloud.cli.remote.output import cell, column, print_json, print_table
from picloud.cli.remote.resource import Noun, Verb, any_method, in_body, in_path, own, script
from picloud.cli.terminal import paint, plain

_COLUMNS = (
    column("method", shown=lambda method: cell(method or "ANY")),
    column("path"),
    column("script"),
    column("host"),
    column("dispatch_mode", "mode"),
    column("id"),
)
_METHOD = in_body("method", "GET, POST, ..., or ANY", read=any_method)
_PATH = in_body("path", "/users, /users/:id, or /files/* for all paths below")
_HOST = in_body("--host", "any (default), or a host of the app's domains")
_MODE = in_body(
    "--mode",
    "sync (default); no server supports async yet",
    "dispatch_mode",
    choices=("sync", "async"),
)
_SCRIPT = in_body("--script", "the script to run", "script_id", script)


async def _route(context: Context, what: str) -> Any:
    """Return the id of a route, given as `METHOD PATH`, as a path that only one route has, or as id."""
    method, _, path = what.rpartition(" ")
    found = [
        route
        for route in await context.client.items("apps/{app}/routes", app=context.app)
        if route["id"] == what
        or (route["path"] == path and (not method or (route["method"] or "ANY") == method.upper()))
    ]
    if len(found) > 1:
        ids = ", ".join(f"{route['method'] or 'ANY'} on {route['host']} is {route['id']}" for route in found)
        raise wrong_use(f"more than one route matches {what!r}; use an id: {ids}")
    if not found:
        raise Failure(f"route {what!r} not found in app {context.app}", NOT_FOUND, "not_found")
    return found[0]["id"]


async def _list(context: Context) -> int:
    routes = await context.client.items("apps/{app}/routes", limit=context.arguments.limit, app=context.app)
    if context.json:
        print_json(routes)
    else:
        print_table(_COLUMNS, await _with_scripts(context, routes), "no routes yet: picloud routes add")
    return DONE


async def _check(context: Context) -> int:
    typed = context.arguments
    body: Json = {
        "script_id": await context.script_id(typed.given_script),
        "method": await any_method(context, typed.given_method),
        "path": typed.given_path,
        "host": typed.given_host or "any",
    }
    answer = await context.client.call("POST", "apps/{app}/routes:check", body, app=context.app)
    if context.json:
        print_json(answer)
    elif answer["ok"]:
        print("no conflict")
    else:
        print_table(_COLUMNS, await _with_scripts(context, answer["conflicts"]), "")
    return DONE if answer["ok"] else CONFLICT


async def _match(context: Context) -> int:
    body = {"method": context.arguments.given_method.upper(), "url": context.arguments.given_url}
    answer = await context.client.call("POST", "apps/{app}/routes:match", body, app=context.app)
    route = answer["route"]
    if context.json:
        print_json(answer)
    elif route is None:
        raise Failure(f"no route matches: {answer['reason']}", NOT_FOUND, "not_found")
    else:
        print_table(_COLUMNS, await _with_scripts(context, [route]), "")
        parts = dict(answer["params"]) | ({"rest": answer["rest"]} if answer["rest"] else {})
        for name, value in parts.items():
            print(f"{paint(plain(name), '2')} = {plain(value)}")
    return DONE if route is not None else NOT_FOUND


async def _with_scripts(context: Context, routes: list[Json]) -> list[Json]:
    scripts = await context.client.items("apps/{app}/scripts", app=context.app) if routes else []
    names = {one["id"]: one["name"] for one in scripts}
    return [{**route, "script": names.get(route["script_id"], route["script_id"])} for route in routes]


NOUN = Noun(
    "routes",
    "routes of an app",
    (
        Verb(name="list", help="list the routes of an app", columns=_COLUMNS, run=_list),
        Verb(
            name="add",
            help="create a route for a script",
            method="POST",
            path="apps/{app}/routes",
            arguments=(
                _METHOD,
                _PATH,
                in_body("script", "the script to run", "script_id", script),
                _HOST,
                _MODE,
            ),
            success="created route {given_method} {path} for script {given_script}",
        ),
        Verb(
            name="update",
            help="change a route in place, without downtime",
            method="PATCH",
            path="apps/{app}/routes/{route}",
            arguments=(
                in_path("route", "'GET /users', a path, or an id", read=_route),
                _SCRIPT,
                in_body("--method", "new method, or ANY", read=any_method),
                in_body("--path", "new path"),
                _HOST,
                _MODE,
            ),
            success="updated route {path}",
        ),
        Verb(
            name="remove",
            help="delete a route",
            method="DELETE",
            path="apps/{app}/routes/{route}",
            arguments=(in_path("route", "'GET /users', a path, or an id", read=_route),),
            destroys="deletes the route {route}",
            success="deleted route {given_route}",
        ),
        Verb(
            name="check",
            help="check whether a new route conflicts with others",
            arguments=(
                own("method", "GET, POST, ..., or ANY"),
                own("path", "its path"),
                own("script", "the script to run"),
                own("--host", "any (default), or a host of the app's domains"),
            ),
            run=_check,
        ),
        Verb(
            name="match",
            help="find the route that matches a request",
            arguments=(own("method", "GET, POST, ..."), own("url", "http://host/path, or a path")),
            run=_match,
        ),
    ),
)
add = NOUN.add
