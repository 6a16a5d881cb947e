"""Promises of http/admin/files.py and services/files/admin.py."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

from tests.integration.conftest import Worker
from tests.integration.http.conftest import Client

PAGE = b"<script>alert(1)</script>" * 40_000


async def test_files_are_listed_shown_and_removed(client: Client, worker: Worker) -> None:
    first = await worker.file("default", "c", "a.txt", b"one")
    second = await worker.file("default", "c", "b.txt", b"two!")
    items = (await client.admin("GET", "/apps/default/files/c")).json["items"]
    assert [(one["id"], one["name"], one["size"]) for one in items] == [
        (first, "a.txt", 3),
        (second, "b.txt", 4),
    ]
    path = f"/apps/default/files/c/{first}"
    shown = (await client.admin("GET", path)).json
    assert shown == items[0]
    assert (shown["sha256"], shown["metadata"]) == (hashlib.sha256(b"one").hexdigest(), {})
    assert (await client.admin("GET", "/apps/default/files")).json["items"] == [
        {"name": "c", "files": 2, "bytes": 7, "more": False}
    ]
    assert (await client.admin("DELETE", path)).status == 204
    for method, where in (("GET", path), ("DELETE", path), ("GET", f"{path}/content")):
        assert (await client.admin(method, where)).status == 404
    assert (await client.admin("GET", "/apps/default/files/d")).status == 404


async def test_a_file_is_downloaded_whole_to_be_saved_and_never_run(client: Client, worker: Worker) -> None:
    file = await worker.file("default", "a/b:c", 'ü "x"/../y.html', PAGE)
    path = f"/apps/default/files/{quote('a/b:c', safe='')}/{file}/content"
    answer = await client.admin("GET", path)
    assert (answer.status, answer.body) == (200, PAGE)
    headers = answer.headers
    assert headers["Content-Disposition"].startswith('attachment; filename="')
    assert "/" not in headers["Content-Disposition"].replace("UTF-8''", "")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Length"] == str(len(PAGE))
    head = await client.admin("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Length", "Content-Disposition", "ETag", "Content-Type"):
        assert head.headers[name] == headers[name]


async def test_a_download_is_conditional_and_comes_in_parts_as_from_a_script(
    client: Client, worker: Worker
) -> None:
    path = f"/apps/default/files/c/{await worker.file('default', 'c', data=PAGE)}/content"
    tag, end = (await client.admin("HEAD", path)).headers["ETag"], len(PAGE)

    async def asked(**headers: str) -> tuple[int, bytes, str | None]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await client.admin("GET", path, headers=sent)
        if answer.status < 400:
            assert answer.headers["ETag"] == tag
            assert "sandbox" in answer.headers["Content-Security-Policy"]
        return answer.status, answer.body, answer.headers.get("Content-Range")

    assert await asked(If_None_Match=f'"x", {tag}') == (304, b"", None)
    assert await asked(Range="bytes=5-9") == (206, PAGE[5:10], f"bytes 5-9/{end}")
    rest = (206, PAGE[end - 7 :], f"bytes {end - 7}-{end - 1}/{end}")
    assert await asked(Range=f"bytes={end - 7}-", If_Range=tag) == rest
    assert await asked(Range="bytes=5-9", If_Range='"x"') == (200, PAGE, None)
    status, _, told = await asked(Range=f"bytes={end}-")
    assert (status, told) == (416, f"bytes */{end}")


async def test_metadata_is_shown_as_it_was_written(client: Client, worker: Worker) -> None:
    file = await worker.file("default", "c")
    odd = '{"n": 1.10, "nul": "\\u0000", "half": "\\ud800"}'
    await worker.database.execute("UPDATE files SET metadata = $1::text::json", odd)
    answer = await client("GET", f"/api/v1/admin/apps/default/files/c/{file}")
    assert odd.encode() in answer.body


async def test_a_damaged_file_is_an_error_and_not_sent(
    client: Client, worker: Worker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = await worker.file("default", "c", data=b"as it was")
    (blob,) = [path for path in (tmp_path / "files").glob("*/*/*") if path.is_file()]
    blob.chmod(0o600)
    blob.write_bytes(b"as it is!")
    answer = await client.admin("GET", f"/apps/default/files/c/{file}/content")
    assert (answer.status, answer.error) == (500, "file_unreadable")
    assert "corrupted" in caplog.text
    assert (await client.admin("DELETE", f"/apps/default/files/c/{file}")).status == 204


async def test_files_of_another_app_or_collection_are_not_there(client: Client, worker: Worker) -> None:
    await worker.app("other")
    file = await worker.file("default", "c")
    for where in ("/apps/other/files/c", "/apps/default/files/d"):
        for method, path in (
            ("GET", where),
            ("GET", f"{where}/{file}"),
            ("GET", f"{where}/{file}/content"),
            ("DELETE", f"{where}/{file}"),
        ):
            assert (await client.admin(method, path)).status == 404
    assert (await client.admin("GET", "/apps/other/files")).json["items"] == []
    for odd in (str(uuid4()), "x"):
        assert (await client.admin("GET", f"/apps/default/files/c/{odd}")).status == 404
    assert (await client.admin("DELETE", f"/apps/default/files/{'c' * 129}/{file}")).status == 404
    assert (await client.admin("GET", f"/apps/default/files/c/{file}")).status == 200


async def test_a_removal_is_in_the_audit_log(client: Client, worker: Worker) -> None:
    file = await worker.file("default", "c", "a.txt", b"one")
    await client.admin("DELETE", f"/apps/default/files/c/{file}")
    (entry,) = (await client.admin("GET", "/apps/default/audit?limit=1")).json["items"]
    assert (entry["action"], entry["target"], entry["before"]["name"]) == ("file.delete", file, "a.txt")
