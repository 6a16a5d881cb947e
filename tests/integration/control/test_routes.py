"""Promises of control/routes.py that no single call over HTTP shows."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from picloud.control.domains import Domains
from picloud.control.routes import Route, RouteDraft, Routes, columns
from picloud.core.errors import Conflict
from picloud.core.generations import Generations
from picloud.db.changes import ChangeNotifier
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.routing.conflict import RoutePattern, conflict
from picloud.routing.hosts import ANY_HOST
from picloud.routing.pattern import Parameter, PathPattern
from tests.integration.conftest import CONSOLE
from tests.unit.routing.patterns import route_patterns

APP = "INSERT INTO apps (id, slug, name) VALUES ($1, $2, 'A')"
SCRIPT = """
INSERT INTO scripts (app_id, id, name, kind, version, source) VALUES ($1, $2, 's', 'endpoint', 1, '1')
"""


@st.composite
def long_patterns(draw: st.DrawFn) -> RoutePattern:
    """With a tail of six: nothing but its places keeps two apart."""
    places = draw(st.lists(st.sampled_from(("a", "b", None)), min_size=5, max_size=5))
    segments = [Parameter(f"p{at}") if one is None else one for at, one in enumerate([None, *places])]
    return RoutePattern("GET", ANY_HOST, PathPattern(tuple(segments)))


async def app_with_script(database: Database) -> tuple[UUID, UUID]:
    app_id, script_id = uuid4(), uuid4()
    await database.execute(APP, app_id, f"a{app_id}")
    await database.execute(SCRIPT, app_id, script_id)
    return app_id, script_id


async def refusals(
    parameters: ConnectionParameters, patterns: list[RoutePattern]
) -> list[tuple[RoutePattern, list[str]]]:
    """Save routes one after the other in an app of its own: what was refused, for which routes."""
    database = await Database.open(parameters, 1)
    try:
        await database.execute("DELETE FROM apps")
        app_id, script_id = await app_with_script(database)
        changes = ChangeNotifier(database, Generations())
        for claim in ("*.t", "x.t"):
            await Domains(database, changes).create(app_id, claim, CONSOLE)
        refused = []
        for pattern in patterns:
            draft = RouteDraft(str(script_id), pattern.method, str(pattern.path), str(pattern.host))
            try:
                await Routes(database, changes).create(app_id, draft, CONSOLE)
            except Conflict as error:
                routes: list[Route] = error.details["routes"]  # type: ignore[assignment]
                refused.append((pattern, [str(route.draft.check()) for route in routes]))
        return refused
    finally:
        await database.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(patterns=st.lists(route_patterns, max_size=8) | st.lists(long_patterns(), max_size=12))
def test_the_database_finds_exactly_the_conflicts_that_there_are(
    connection_parameters: ConnectionParameters, patterns: list[RoutePattern]
) -> None:
    accepted: list[RoutePattern] = []
    expected = []
    for pattern in patterns:
        others = [str(other) for other in accepted if conflict(pattern, other)]
        if others:
            expected.append((pattern, others))
        else:
            accepted.append(pattern)
    assert asyncio.run(refusals(connection_parameters, patterns)) == expected


async def test_the_query_for_shapes_finds_each_once(database: Database) -> None:
    app_id, script_id = await app_with_script(database)
    paths = ("/:a", "/:a/*", "/x/:a", "/y/:b", "/*", "/exact", "/x/:a/y")
    patterns = [RouteDraft(str(script_id), None, path).check() for path in paths]
    for pattern in patterns:
        await database.execute(load("routes").route_insert, *columns(app_id, uuid7(), script_id, pattern))
    rows = await database.fetch(load("routes").route_shapes, app_id, "any")
    assert [row["shape"] for row in rows] == sorted({pattern.shape for pattern in patterns} - {""})
