"""Random operations of two apps, with ids of each other, compared with a model in memory."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from picloud.core.errors import NotFound, ServiceError
from picloud.core.pagination import PageRequest
from picloud.db.pool import Database
from picloud.services.docs.service import searches
from picloud.services.files.admin import FilesAdmin
from picloud.services.files.folder import FolderStore
from picloud.services.files.service import Files
from picloud.services.files.sweep import Sweep
from tests.integration.services.files.conftest import PAUPER, PRINCE, calling, named, on_disk

COLLECTIONS = st.sampled_from(["notes", "Notes", "é", "a/../b"])
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=40
) | st.sampled_from(["../x", "a\\b", '"', "%00", "e\u0301"])
DATA = st.binary(max_size=40) | st.integers(0, 300_000).map(lambda size: bytes([size % 256]) * size)
TYPES = st.sampled_from(["text/plain", "text/html; charset=utf-8", "image/svg+xml"])
METADATA = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=3), st.integers() | st.text(), max_size=2
).map(json.dumps)
CHANGES = st.tuples(*(st.none() | one for one in (NAMES, TYPES, METADATA, DATA)))
STEPS = st.lists(
    st.tuples(
        st.sampled_from([PRINCE, PAUPER]),
        st.sampled_from(["create", "create", "get", "update", "delete", "list", "browse", "sweep"]),
        COLLECTIONS,
        st.integers(-1, 30),  # which id, of all that either app ever had; -1 is nobody's
        st.tuples(NAMES, TYPES, METADATA, DATA),
        CHANGES,
    ),
    min_size=15,
    max_size=40,
)
Key = tuple[UUID, str, str]


class Model:
    """What there should be."""

    def __init__(self) -> None:
        self.files: dict[Key, list[Any]] = {}
        self.ids: list[str] = []

    def page(self, app_id: UUID, collection: str) -> list[str]:
        return sorted(id_ for app, name, id_ in self.files if (app, name) == (app_id, collection))


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS)
async def test_apps_share_no_files(
    files: Files, store: FolderStore, database: Database, root: Path, steps: list[Any]
) -> None:
    await database.execute("DELETE FROM files")
    model, browser = Model(), FilesAdmin(database, files, searches(database))
    sweep = Sweep(database, store, old_seconds=0)
    for app_id, action, collection, which, content, changes in steps:
        call = calling(app_id)
        id_ = model.ids[which % len(model.ids)] if which >= 0 and model.ids else str(uuid4())
        known = model.files.get((app_id, collection, id_))
        match action:
            case "create":
                entry = json.loads(await files.create(call, collection, *content))
                assert entry["id"] not in model.ids
                model.ids.append(entry["id"])
                model.files[app_id, collection, entry["id"]] = list(content)
                check(entry, content)
            case "get":
                read, head = await files.get(call, collection, id_), await files.head(call, collection, id_)
                file = await files.find(app_id, collection, id_)
                if known is None:
                    assert (read, head, file) == (None, None, None)
                else:
                    assert read is not None
                    assert file is not None
                    assert read["data"] == known[3]
                    assert read["file"] == head == file.entry
                    check(json.loads(file.entry), known)
            case "update" if known is None:
                with pytest.raises(ServiceError, match="no such"):
                    await files.update(call, collection, id_, *changes)
            case "update":
                for field, value in enumerate(changes):
                    known[field] = known[field] if value is None else value
                check(json.loads(await files.update(call, collection, id_, *changes)), known)
            case "delete":
                assert await files.delete(call, collection, id_) is (known is not None)
                model.files.pop((app_id, collection, id_), None)
            case "list":
                listed = (await files.list(call, collection, None, 1000))["files"]
                found = [json.loads(entry) for entry, _ in listed]  # type: ignore[attr-defined]
                assert [entry["id"] for entry in found] == model.page(app_id, collection)
                for entry in found:
                    check(entry, model.files[app_id, collection, entry["id"]])
            case "browse":
                if expected := model.page(app_id, collection):
                    page = await browser.list(app_id, collection, PageRequest(200))
                    assert [str(file.id) for file in page.items] == expected
                else:
                    with pytest.raises(NotFound):
                        await browser.list(app_id, collection, PageRequest(200))
                if known is None:
                    with pytest.raises(NotFound):
                        await browser.get(app_id, collection, id_)
                for one in (await browser.collections(app_id, 50, None)).items:
                    sizes = [
                        len(model.files[app_id, one.name, id_][3]) for id_ in model.page(app_id, one.name)
                    ]
                    assert (one.files, one.bytes) == (len(sizes), sum(sizes))
            case "sweep":
                await sweep.sweep()
    assert on_disk(root) >= await named(database)
    await sweep.sweep()
    assert on_disk(root) == await named(database)
    for (app_id, collection, id_), content in model.files.items():
        read = await files.get(calling(app_id), collection, id_)
        assert read is not None
        assert read["data"] == content[3]


def check(entry: dict[str, Any], content: Any) -> None:
    """An entry tells what was stored."""
    name, content_type, metadata, data = content
    assert (entry["name"], entry["content_type"]) == (name, content_type)
    assert (entry["size"], entry["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert entry["metadata"] == json.loads(metadata)
