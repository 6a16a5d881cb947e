"""Files over HTTP: what a script answers with is sent as it was stored, in part or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from picloud.execution.executor import Executor
from picloud.http.public import file_part
from picloud.identity.tokens import SESSION_COOKIE, SESSION_COOKIE_SECURE
from picloud.sandbox.limits import FIXED
from picloud.sandbox.outcome import FileReference, Outcome, Response
from picloud.services.files import SERVICE as FILES
from tests.integration.conftest import Worker
from tests.integration.http.conftest import Answer, Client

DATA = bytes(range(256)) * 8192 + b"end"  # 2 MiB and 3 bytes: several pieces
TAG = f'"{hashlib.sha256(DATA).hexdigest()}"'
UPLOAD = """
let q = ctx.request.query;
let file = #{ name: q.name };
if "type" in q { file.content_type = q.type }
#{ statusCode: 201, body: files::collection("up").create_from_request(file) }
"""
DOWNLOAD = """
let body = files::collection("up").response(ctx.request.query.id);
if body == () { return #{ statusCode: 404, body: "no file" } }
let answer = #{ statusCode: 200, headers: #{}, body: body };
for name in ctx.request.query.keys() {
    if name == "id" { continue }
    if name == "status" { answer.statusCode = parse_int(ctx.request.query.status) }
    else { answer.headers[name] = ctx.request.query[name] }
}
answer
"""


@pytest.fixture
async def site(client: Client) -> Client:
    """An app that takes files and gives them back."""
    await client.route(await client.script(UPLOAD, "upload"), "/up", "POST")
    download = await client.script(DOWNLOAD, "download")
    await client.route(download, "/file", "GET")
    await client.route(download, "/file", "POST")
    return client


async def upload(site: Client, data: bytes = DATA, name: str = "a.bin", **fields: str) -> dict[str, Any]:
    fields["name"] = name
    query = "&".join(f"{field}={quote(value, safe='')}" for field, value in fields.items())
    answer = await site("POST", f"/up?{query}", data=io.BytesIO(data), headers={"Content-Type": "image/png"})
    assert answer.status == 201, answer.body
    made: dict[str, Any] = answer.json
    return made


async def get(site: Client, id_: str, query: str = "", method: str = "GET", **headers: str) -> Answer:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await site(method, f"/file?id={id_}{query}", headers=sent)


async def test_an_upload_is_sent_back_with_length_type_and_checksum(site: Client) -> None:
    made = await upload(site)
    assert (made["size"], made["content_type"]) == (len(DATA), "image/png")
    assert made["sha256"] == hashlib.sha256(DATA).hexdigest()
    answer = await get(site, made["id"])
    assert (answer.status, answer.body) == (200, DATA)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Length"] == str(len(DATA))
    assert answer.headers["ETag"] == TAG
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["X-Execution-Id"]
    assert answer.headers["X-Request-Id"]
    assert "Transfer-Encoding" not in answer.headers


async def test_the_largest_upload_is_kept_though_no_script_could_hold_it(site: Client) -> None:
    data = os.urandom(FIXED["max_request_body"])
    made = await upload(site, data)
    assert made["size"] == len(data)
    assert (await get(site, made["id"])).body == data


async def test_an_empty_file_is_sent_as_such(site: Client) -> None:
    made = await upload(site, b"")
    for headers in ({}, {"Range": "bytes=0-5"}):
        answer = await get(site, made["id"], **headers)
        assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "0")


async def test_head_has_the_headers_of_get(site: Client) -> None:
    made = await upload(site)
    whole, head = await get(site, made["id"]), await get(site, made["id"], method="HEAD")
    assert (head.status, head.body) == (200, b"")
    own = {"date", "x-execution-id", "x-request-id"}
    assert {k: v for k, v in head.headers.items() if k.lower() not in own} == {
        k: v for k, v in whole.headers.items() if k.lower() not in own
    }


@pytest.mark.parametrize("tag", [TAG, f"W/{TAG}", f'"x", {TAG}', "*"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_cached_file_is_not_sent_again(site: Client, tag: str, method: str) -> None:
    made = await upload(site)
    answer = await get(site, made["id"], "&cache-control=private", method, If_None_Match=tag)
    assert (answer.status, answer.body) == (304, b"")
    assert (answer.headers["ETag"], answer.headers["Cache-Control"]) == (TAG, "private")
    assert "Content-Type" not in answer.headers
    assert (await get(site, made["id"], If_None_Match='"other"')).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_client_that_wants_another_version_is_told_so(site: Client, method: str) -> None:
    made = await upload(site)
    for wanted in (TAG, "*", f'"x", {TAG}'):
        assert (await get(site, made["id"], method=method, If_Match=wanted)).status == 200
    for other in ('"x"', f"W/{TAG}", "x"):
        assert (await get(site, made["id"], method=method, If_Match=other)).status == 412
    assert (await get(site, made["id"], If_Match='"x"', If_None_Match=TAG)).error == "precondition_failed"


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-1000099", 100, 1_000_100),
        (f"bytes={len(DATA) - 1}-", len(DATA) - 1, len(DATA)),
        ("bytes=-3", len(DATA) - 3, len(DATA)),
        ("bytes=5-99999999999", 5, len(DATA)),
    ],
)
async def test_a_part_is_sent_when_one_is_asked_for(site: Client, header: str, start: int, stop: int) -> None:
    made = await upload(site)
    answer = await get(site, made["id"], Range=header)
    assert (answer.status, answer.body) == (206, DATA[start:stop])
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(DATA)}"
    assert answer.headers["Content-Length"] == str(stop - start)
    assert answer.headers["ETag"] == TAG


async def test_a_range_after_the_end_is_rejected(site: Client) -> None:
    made = await upload(site)
    for header in (f"bytes={len(DATA)}-", "bytes=-0"):
        answer = await get(site, made["id"], Range=header)
        assert (answer.status, answer.error) == (416, "range_unsatisfiable")
        assert answer.headers["Content-Range"] == f"bytes */{len(DATA)}"
        assert answer.details == {"size": len(DATA)}
        assert answer.headers["X-Execution-Id"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=0-1,5-6"},
        {"Range": "bytes=9-1"},
        {"Range": "pages=1-2"},
        {"Range": "bytes=0-1", "If_Range": '"other"'},
        {"Range": "bytes=0-1", "If_Range": f"W/{TAG}"},
        {"Range": "bytes=0-1", "If_Range": "Wed, 21 Oct 2026 07:28:00 GMT"},
    ],
)
async def test_an_invalid_range_gets_the_whole_file(site: Client, headers: dict[str, str]) -> None:
    made = await upload(site)
    answer = await get(site, made["id"], **headers)
    assert (answer.status, answer.body) == (200, DATA)


async def test_the_rest_of_a_broken_transfer_is_fetched_with_if_range(site: Client) -> None:
    made = await upload(site)
    answer = await get(site, made["id"], Range="bytes=1000000-", If_Range=TAG)
    assert (answer.status, answer.body) == (206, DATA[1_000_000:])


async def test_conditions_and_ranges_are_for_get_and_status_200(site: Client) -> None:
    made = await upload(site)
    for method, query, status in (
        ("POST", "", 200),
        ("GET", "&status=404", 404),
        ("GET", "&status=201", 201),
    ):
        answer = await get(site, made["id"], query, method, Range="bytes=0-1", If_None_Match="*")
        assert (answer.status, answer.body) == (status, DATA)
        assert "Accept-Ranges" not in answer.headers
    assert (await get(site, made["id"], "&status=204")).body == b""


async def test_a_file_is_saved_and_never_run_unless_the_script_says_so(site: Client) -> None:
    made = await upload(site, b"<script>alert(1)</script>", 'ü"\\/é.html', type="text/html")
    answer = await get(site, made["id"])
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].endswith("; sandbox")
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=\"_____.html\"; filename*=UTF-8''%C3%BC%22__%C3%A9.html"
    )
    said = "&content-disposition=inline&content-security-policy=default-src%20*&content-type=text/plain"
    answer = await get(site, made["id"], said + "&etag=%22mine%22&content-range=x&accept-ranges=none")
    assert answer.headers.getall("Content-Disposition") == ["inline"]
    assert answer.headers.getall("Content-Security-Policy") == ["default-src *"]
    assert answer.headers.getall("Content-Type") == ["text/plain"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers.getall("ETag") == [f'"{made["sha256"]}"']
    assert answer.headers.getall("Accept-Ranges") == ["bytes"]
    assert "Content-Range" not in answer.headers


@pytest.mark.parametrize("size", [10, len(DATA)])
@pytest.mark.parametrize(
    "damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"?" + path.read_bytes()[1:])]
)
async def test_a_damaged_file_is_an_error_before_its_first_byte(
    site: Client, tmp_path: Path, size: int, damage: Callable[[Path], object]
) -> None:
    made = await upload(site, DATA[:size])
    damage(next((tmp_path / "files").glob("*/*/*")))
    answer = await get(site, made["id"])
    assert (answer.status, answer.error) == (500, "file_unreadable")
    assert answer.headers["X-Execution-Id"]
    assert (await get(site, made["id"], Range="bytes=5-6")).status == 500


async def test_a_file_that_cannot_be_read_to_its_end_breaks_the_connection(
    site: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await upload(site)
    read, pieces = file_part.FilePart.write, 0

    async def broken(self: file_part.FilePart, writer: Any) -> None:
        get_piece = self._blob.read

        async def piece(offset: int, length: int) -> bytes:
            nonlocal pieces
            pieces += 1
            if pieces > 2:
                raise OSError(5, "Input/output error")
            return await get_piece(offset, length)

        monkeypatch.setattr(
            self, "_blob", type("Blob", (), {"read": staticmethod(piece), "close": self._blob.close})
        )
        await read(self, writer)

    monkeypatch.setattr(file_part.FilePart, "write", broken)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(f"GET /file?id={made['id']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    async with asyncio.timeout(30):
        received = await reader.read()
    writer.close()
    head, _, body = received.partition(b"\r\n\r\n")
    assert f"content-length: {len(DATA)}".encode() in head.lower()
    assert 0 < len(body) < len(DATA)
    assert (await site("GET", "/hello")).status == 200


async def test_clients_that_go_away_leave_no_file_open(site: Client, tmp_path: Path) -> None:
    made = await upload(site, os.urandom(8_000_000))

    def held() -> int:
        links = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
        return sum(str(link).startswith(str(tmp_path / "files")) for link in links)

    clients = []
    for _ in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port, limit=1024)
        writer.write(f"GET /file?id={made['id']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        clients.append(writer)
    assert held() == 5
    for writer in clients:
        writer.transport.abort()
    async with asyncio.timeout(30):
        while held():  # noqa: ASYNC110  # nothing announces it
            await asyncio.sleep(0.01)


LOG = "SELECT outcome, status, response FROM execution_logs WHERE request->>'path' = '/file' ORDER BY id"


@pytest.mark.parametrize(
    ("method", "query", "headers", "status", "size"),
    [
        ("GET", "", {}, 200, len(DATA)),
        ("POST", "&status=201", {"Range": "bytes=0-1"}, 201, len(DATA)),
        ("GET", "", {"Range": "bytes=10-99"}, 206, 90),
        ("GET", "", {"If-None-Match": TAG}, 304, 0),
        ("GET", "&status=204", {}, 204, 0),
        ("HEAD", "", {}, 200, 0),
        ("GET", "", {"Range": f"bytes={len(DATA)}-"}, 416, None),
    ],
)
async def test_the_record_of_an_execution_has_the_sent_bytes_of_a_file(
    site: Client, method: str, query: str, headers: dict[str, str], status: int, size: int | None
) -> None:
    made = await upload(site)
    query += "&set-cookie=secret=1&x-own=yes"
    answer = await site(method, f"/file?id={made['id']}{query}", headers=headers)
    assert answer.status == status
    (item, *_) = (await site.admin("GET", "/apps/default/executions")).json["items"]
    assert (item["execution_id"], item["outcome"]) == (answer.headers["X-Execution-Id"], "ok")
    assert item["status"] == status
    logged = item["response"]
    assert logged["body_size"] == (len(answer.body) if size is None else size)
    if status == 416:
        assert logged["headers"]["content-range"] == f"bytes */{len(DATA)}"
        return
    assert (logged["headers"]["x-own"], logged["headers"]["set-cookie"]) == ("yes", "[redacted]")
    assert logged["headers"].get("content-range") == answer.headers.get("Content-Range")


async def test_the_record_of_an_unsent_file_has_the_reason(site: Client, tmp_path: Path) -> None:
    made = await upload(site)
    next((tmp_path / "files").glob("*/*/*")).unlink()
    assert (await get(site, made["id"])).status == 500
    (item, *_) = (await site.admin("GET", "/apps/default/executions")).json["items"]
    assert (item["status"], item["outcome"]) == (500, "ok")


@pytest.mark.parametrize("while_", ["it is sent", "it is opened"])
async def test_the_record_of_a_broken_transfer_has_the_sent_bytes(
    site: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch, while_: str
) -> None:
    made = await upload(site, os.urandom(8_000_000))
    if while_ == "it is opened":
        opening = asyncio.Event()

        async def forever(*_: object) -> None:
            opening.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(worker.platform.services.of(FILES), "open", forever)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port, limit=1024)
    writer.write(f"GET /file?id={made['id']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await (reader.readuntil(b"\r\n\r\n") if while_ == "it is sent" else opening.wait())
    assert await worker.database.fetch(LOG) == []
    writer.transport.abort()
    async with asyncio.timeout(30):
        while not (rows := await worker.database.fetch(LOG)):  # noqa: ASYNC110  # nothing announces it
            await asyncio.sleep(0.01)
    ((outcome, status, response),) = rows
    assert (outcome, status) == ("ok", 200 if while_ == "it is sent" else 499)
    assert (0 < response["body_size"] < 8_000_000) == (while_ == "it is sent")


async def test_a_file_response_cannot_set_a_session_cookie(site: Client) -> None:
    made = await upload(site)
    for cookie in (SESSION_COOKIE, SESSION_COOKIE_SECURE):
        assert "Set-Cookie" not in (await get(site, made["id"], f"&set-cookie={cookie}=x")).headers
    assert "Set-Cookie" in (await get(site, made["id"], "&set-cookie=theirs=x")).headers


async def test_a_file_of_another_app_is_not_found(site: Client) -> None:
    made = await upload(site)
    other = await site.admin("POST", "/apps", {"slug": "other", "name": "Other"})
    assert other.status == 201
    theirs = f'files::collection("up").response("{made["id"]}") == ()'
    answer = await site.execute(await site.script(theirs, app="other"))
    assert answer.json is True


async def test_a_forged_file_response_gets_no_file_of_another_app(
    site: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await upload(site)
    await site.admin("POST", "/apps", {"slug": "other", "name": "Other"})
    theirs = await site.script("1", app="other")

    def answers(file: FileReference) -> None:
        async def made_up(*_: object) -> Outcome:
            return Outcome("ok", Response(200, [], b"", file))

        monkeypatch.setattr(Executor, "execute", made_up)

    for name, id_ in (("up", made["id"]), ("up", "../../x"), ("", made["id"]), ("a\0", made["id"])):
        answers(FileReference(name, id_))
        answer = await site.execute(theirs)
        assert answer.status in (404, 500), answer.body
        assert answer.json["error"]


async def test_a_caller_without_files_read_gets_no_file(
    site: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await upload(site)
    script = await site.script(
        '#{ statusCode: 200, body: files::collection("up").response(ctx.request.body) }'
    )
    assert (await site.execute(script, data=made["id"])).body == DATA
    site.token = await worker.session_of(await worker.person("eve"))
    answer = await site.execute(script, data=made["id"])
    assert (answer.status, answer.error) == (502, "script_error")
    assert "files.read" in answer.json["error"]["message"]

    async def made_up(*_: object) -> Outcome:
        return Outcome("ok", Response(200, [], b"", FileReference("up", made["id"])))

    monkeypatch.setattr(Executor, "execute", made_up)
    assert (await site.execute(script)).status == 403


async def test_a_file_that_is_removed_while_the_script_runs_is_not_found(site: Client) -> None:
    made = await upload(site)
    source = f"""
        let c = files::collection("up");
        let answer = c.response("{made["id"]}");
        c.delete("{made["id"]}");
        #{{ statusCode: 200, body: answer }}
    """
    answer = await site.execute(await site.script(source))
    assert (answer.status, answer.error) == (404, "not_found")
    assert (await get(site, made["id"])).status == 404
    assert (await get(site, str(uuid4()))).body == b"no file"


async def test_the_bytes_of_an_app_go_with_the_app(site: Client, worker: Worker, tmp_path: Path) -> None:
    await upload(site)
    folder = tmp_path / "files"
    assert [file.stat().st_size for file in folder.rglob("*") if file.is_file() and len(file.name) > 30] == [
        len(DATA)
    ]
    assert (await site.admin("DELETE", "/apps/default?force=true")).status == 204
    await worker.platform.background.drain()
    assert not [file for file in folder.rglob("*") if file.is_file() and len(file.name) > 30]
