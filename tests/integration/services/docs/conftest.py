"""An app with documents."""

from __future__ import annotations

from uuid import uuid4

import pytest

from picloud.db.pool import Database
from picloud.services.call_context import Call
from picloud.services.docs.service import DatabaseDocs


@pytest.fixture
async def docs(database: Database) -> DatabaseDocs:
    return DatabaseDocs(database)


@pytest.fixture
async def call(database: Database) -> Call:
    app = uuid4()
    await database.execute("INSERT INTO apps (id, slug, name) VALUES ($1, $2, 'A')", app, f"a{app.hex[-20:]}")
    return Call(app, uuid4(), uuid4(), None)
