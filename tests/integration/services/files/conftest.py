"""Files on a real database and a real file system, of two apps."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from picloud.db.pool import Database
from picloud.services.call_context import Call, Input
from picloud.services.files.folder import FolderStore
from picloud.services.files.service import Files

PRINCE, PAUPER = UUID(int=1), UUID(int=2)


def calling(app_id: UUID, body: bytes = b"", content_type: str | None = None) -> Call:
    """A call of a script of an app."""
    return Call(app_id, uuid4(), uuid4(), input=Input(body, content_type))


async def add_app(database: Database, app_id: UUID) -> None:
    """Make an app."""
    slug = f"a{app_id.hex[-20:]}"
    await database.execute("INSERT INTO apps (id, slug, name) VALUES ($1, $2, 'A')", app_id, slug)


def on_disk(root: Path) -> set[UUID]:
    """The blobs that are there."""
    return {UUID(hex=path.name) for path in root.glob("*/*/*")}


async def named(database: Database) -> set[UUID]:
    """The blobs that rows name."""
    return {row["blob"] for row in await database.fetch("SELECT blob FROM files")}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    FolderStore.prepare(folder)
    return folder


@pytest.fixture
async def store(root: Path) -> AsyncIterator[FolderStore]:
    store = FolderStore(root)
    yield store
    store.close()


@pytest.fixture
async def files(database: Database, store: FolderStore) -> AsyncIterator[Files]:
    for app_id in (PRINCE, PAUPER):
        await add_app(database, app_id)
    files = Files(database, store)
    yield files
    await files.close()


async def create(files: Files, data: bytes = b"hello", app_id: UUID = PRINCE, **given: Any) -> dict[str, Any]:
    """Make a file, and give its entry."""
    collection, name = given.get("collection", "notes"), given.get("name", "a.txt")
    content_type, metadata = given.get("content_type", "text/plain"), given.get("metadata")
    entry = await files.create(calling(app_id), collection, name, content_type, metadata, data)
    made: dict[str, Any] = json.loads(entry)
    return made
