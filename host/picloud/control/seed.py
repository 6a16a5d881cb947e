"""Seeds a new instance with an app on localhost and an example script."""

from __future__ import annotations

from uuid_utils.compat import uuid7

from picloud.control.routes import RouteDraft, columns
from picloud.db.changes import ChangeNotifier
from picloud.db.queries import load

HELLO = """\
// This script answers /hello. Every request runs it in a fresh WebAssembly sandbox:
// nothing is shared with other requests, and fuel, memory and time are limited.
//
// Change it and save: the next request runs the new version.

fn greet(name) {
    `Hello, ${name}!`
}

// `ctx.request` has method, path, headers, query, params, rest and body.
// Try /hello?name=Ada, or send the JSON {"name": "Ada"}.
let name = ctx.request.query.name;
if name == () && type_of(ctx.request.body) == "map" {
    name = ctx.request.body.name;
}

// A map becomes JSON; #{ statusCode, headers, body } would set them one by one.
#{
    message: greet(name ?? "world"),
    execution_id: ctx.execution_id,
}
"""

_SEED, _APPS, _DOMAINS = load("seed"), load("apps"), load("domains")
_SCRIPTS, _ROUTES = load("scripts"), load("routes")


async def seed(changes: ChangeNotifier) -> bool:
    """Seed a new instance, once: a deleted app is not created again.

    Several servers can call this at once; the first claim blocks the others until it commits.

    Returns:
        True when this call seeded the instance.
    """
    async with changes.transaction("scripts", "routes", "domains") as connection:
        if await connection.fetchval(_SEED.seed_claim) is None:
            return False
        app_id, script_id = uuid7(), uuid7()
        await connection.execute(
            _APPS.app_insert, app_id, "default", "Default", "Created at the first start."
        )
        await connection.execute(_DOMAINS.domain_insert, app_id, uuid7(), "localhost")
        description = "Says hello on /hello."
        await connection.execute(
            _SCRIPTS.script_insert,
            app_id,
            script_id,
            "hello",
            "endpoint",
            description,
            HELLO,
            {},
            "routed",
            None,
        )
        about = "Created at the first start."
        await connection.execute(
            _SCRIPTS.script_version_insert, app_id, script_id, 1, "endpoint", HELLO, {}, None, about
        )
        route = RouteDraft(str(script_id), None, "/hello").check()
        await connection.execute(_ROUTES.route_insert, *columns(app_id, uuid7(), script_id, route))
    return True
