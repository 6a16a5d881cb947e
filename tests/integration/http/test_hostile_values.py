"""Values that our guest never stores, and how the admin API shows them."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import orjson
import ormsgpack
import pytest

from picloud.core.errors import ServiceError
from picloud.services.call_context import Call
from picloud.services.docs.service import DatabaseDocs
from picloud.services.files import SERVICE as FILES
from picloud.services.kv import service as kv
from tests.integration.conftest import Worker
from tests.integration.http.conftest import ADMIN, Client
from tests.isolation.hostile import engine, guest
from tests.workbench import Workbench, in_memory

LEVELS = (128, 900, 10_000)
VALUES = {
    "arrays": b"\x91" * 10_000 + b"\x01",
    "maps": b"\x81\xa1a" * 10_000 + b"\x01",
    "many arrays": b"\xdd\x00\x00\x40\x00" + b"\x90" * 0x4000,
    "a thousand levels": b"\x91" * 1000 + b"\x01",
    "200 levels": b"\x91" * 200 + b"\x01",
    "two values": b"\x01\x02",
    "not all of one": b"\xdd\xff\xff\xff\xff",
    "no text": b"\xa2\xff\xfe",
    "numbers as keys": b"\x81\x01\x02",
    "an extension": b"\xd4\x01\x01",
    "a timestamp": b"\xd6\xff\x00\x00\x00\x00",
    "a large number": b"\xcf" + b"\xff" * 8,
    "none": b"\xc1",
    "empty": b"",
}


async def asked(client: Client, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """What the admin API answers, unread: a client of Python's own cannot read every JSON."""
    head = (
        f"{method} {ADMIN}{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {client.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    answer = await client.raw(head.encode() + body, whole=method != "DELETE")
    status, _, rest = answer.partition(b"\r\n\r\n")
    return int(status.split()[1]), rest


def nested(levels: int) -> bytes:
    """JSON of a map with arrays in it."""
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


async def test_kv_bytes_made_up_by_a_guest_are_shown_unchanged(
    client: Client, worker: Worker, tmp_path: Path
) -> None:
    app = (await worker.platform.apps.get("default")).id
    entries = kv.DatabaseKeyValue(worker.database)
    stored: list[str] = []

    async def set_(call: Call, *params: object) -> None:
        stored.append(str(params[1]))
        await entries.set(Call(app, uuid4(), uuid4()), *params)  # type: ignore[arg-type]

    for number, name in enumerate(VALUES):
        packed = ormsgpack.packb(["c", name, VALUES[name], None])
        octets = "".join(f"\\{octet:02x}" for octet in packed)
        folder = tmp_path / str(number)
        folder.mkdir()
        hostile = engine(
            folder,
            guest(
                f"(drop (call $kv_set (i32.const 65536) (i32.const {len(packed)})))",
                declarations=f'(data (i32.const 65536) "{octets}")',
            ),
        )
        bench = Workbench(hostile, in_memory() | {"kv_set": set_})
        await bench.raw()
        bench.close()
        hostile.close()
    assert stored == list(VALUES)
    status, listed = await asked(client, "GET", "/apps/default/kv/c?limit=200")
    assert status == 200
    assert {item["key"] for item in orjson.loads(listed)["items"]} == set(VALUES)
    for name, value in VALUES.items():
        path = f"/apps/default/kv/c/{quote(name)}"
        status, shown = await asked(client, "GET", path)
        assert status == 200
        entry = orjson.loads(shown)
        if name == "many arrays":
            assert len(entry["value"]) == 0x4000
        elif name == "a large number":
            assert entry["value"] == 2**64 - 1
        else:
            assert base64.b64decode(entry["packed"]) == value
            status, _ = await asked(client, "PUT", path, orjson.dumps({"packed": entry["packed"]}))
            assert status == 422
        assert (await asked(client, "DELETE", path))[0] == 204


@pytest.mark.parametrize("levels", LEVELS)
async def test_json_that_no_script_could_read_is_not_kept(
    client: Client, worker: Worker, levels: int
) -> None:
    call = Call((await worker.platform.apps.get("default")).id, uuid4(), uuid4())
    deep, docs, files = nested(levels), DatabaseDocs(worker.database), worker.platform.services.of(FILES)
    with pytest.raises(ServiceError, match=r"\b127\b"):
        await docs.create(call, "c", deep.decode())
    if len(deep) <= 16 * 1024:
        with pytest.raises(ServiceError, match=r"\b127\b"):
            await files.create(call, "c", "f", "a/b", deep.decode(), b"")
    made = orjson.loads(await docs.create(call, "c", "{}"))["id"]
    for method, path, body in (
        ("POST", "/apps/default/docs/c", b'{"data":%s}' % deep),
        ("PUT", f"/apps/default/docs/c/{made}", b'{"data":%s}' % deep),
        ("PATCH", f"/apps/default/docs/c/{made}", b'{"data":%s}' % deep),
        ("PUT", "/apps/default/kv/c/k", b'{"value":[[%s]]}' % deep),
        ("GET", f"/apps/default/docs/c?filter={quote(deep[: 6000 if levels > 900 else None])}", b""),
    ):
        status, said = await asked(client, method, path, body)
        assert status in (400, 414, 422, 431), (method, path[:40], said[:200])
        assert orjson.loads(said)["error"]["message"]


@pytest.mark.parametrize("levels", [200, 1500, 5000])
async def test_json_from_before_that_no_script_could_read_is_shown_and_can_be_replaced(
    client: Client, worker: Worker, levels: int
) -> None:
    app, id_ = (await worker.platform.apps.get("default")).id, uuid4()
    deep = nested(levels).decode()
    definition = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'docs_depth_check'"
    check = await worker.database.fetchval(definition)
    await worker.database.execute("ALTER TABLE docs DROP CONSTRAINT docs_depth_check")
    insert = "INSERT INTO docs (app_id, collection, id, data) VALUES ($1, 'c', $2, $3::text::jsonb)"
    await worker.database.execute(insert, app, id_, deep)
    await worker.database.execute(f"ALTER TABLE docs ADD CONSTRAINT docs_depth_check {check}")
    file = await worker.file("default", "c")
    await worker.database.execute("UPDATE files SET metadata = $1::text::json", deep)
    document = f"/apps/default/docs/c/{id_}"
    for path in (
        document,
        "/apps/default/docs/c",
        "/apps/default/docs/c?filter=" + quote('{"a": {"$exists": true}}'),
        "/apps/default/docs/c?filter=" + quote('{"$sort": "a", "a": {"$ne": []}}'),
        f"/apps/default/files/c/{file}",
        "/apps/default/files/c",
    ):
        status, said = await asked(client, "GET", path)
        assert status == 200, (path, said[:200])
        assert deep.replace('"a":[', '"a": [').encode() in said or deep.encode() in said
    status, _ = await asked(client, "PATCH", document, b'{"data":{"b":1}}')
    assert status == 422
    status, said = await asked(client, "PUT", document, b'{"data":{"b":1}}')
    assert (status, orjson.loads(said)["data"]) == (200, {"b": 1})
