"""https: a server is who its certificate says, as the system's authorities say."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from tests.integration.outbound.conftest import Make, WayOut
from tests.integration.outbound.servers import NameServer, WebServer, redirect


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that vouches for itself."""
    made = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", "2", "-subj", f"/CN={name}", "-out", made[0], "-keyout", made[1]),
            *("-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    return made


@pytest.fixture
async def secure(tmp_path: Path, names: NameServer) -> AsyncIterator[WebServer]:
    """An https server named good.example, which nobody trusts unless told so."""
    certified, key = certificate(tmp_path, "good.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified, key)
    server = WebServer(context)
    await server.start()
    names.names["good.example"] = names.names["bad.example"] = [["127.0.0.1"]]
    yield server
    await server.close()


@pytest.fixture
def trusting(secure: WebServer, tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> WayOut:
    """On a system whose authorities vouch for good.example."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "good.example.pem"))
    return make(allow_private=True)


async def test_a_server_that_the_system_trusts_is_asked(trusting: WayOut, secure: WebServer) -> None:
    for host in ("good.example", "127.0.0.1"):
        got = await trusting.request(secure.url("/a", host))
        assert (got["status"], got["url"]) == (200, secure.url("/a", host))
    assert len(secure.requests) == 2


async def test_a_server_that_nobody_vouches_for_is_asked_nothing(dev: WayOut, secure: WebServer) -> None:
    said = await dev.refused(secure.url(host="good.example"), headers=[["authorization", "s3cr3t"]])
    assert said == f"the certificate of good.example:{secure.port} is not valid"
    assert (dev.decision.category, dev.decision.error) == ("allowed", "tls")
    assert secure.requests == []


async def test_a_server_under_another_name_is_asked_nothing(trusting: WayOut, secure: WebServer) -> None:
    said = await trusting.refused(secure.url(host="bad.example"))
    assert said == f"the certificate of bad.example:{secure.port} is not valid"
    assert secure.requests == []


async def test_no_session_goes_from_one_connection_to_another(trusting: WayOut, secure: WebServer) -> None:
    """By a session that is resumed a server could tell that two apps are of one instance."""
    for number in range(4):
        await trusting.of(UUID(int=number)).request(secure.url(host="good.example"))
    assert (secure.connections, secure.resumed) == (4, 0)


async def test_a_redirect_to_a_server_that_nobody_vouches_for_is_not_followed(
    trusting: WayOut, secure: WebServer
) -> None:
    secure.answers["/"] = redirect(secure.url("/b", "bad.example"), 307)
    said = await trusting.refused(secure.url(host="good.example"), method="POST", body=b"s3cr3t")
    assert said == f"the certificate of bad.example:{secure.port} is not valid"
    assert [one.line for one in secure.requests] == ["POST /"]


async def test_plain_http_is_no_answer_to_https(dev: WayOut) -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        said = await dev.refused(f"https://127.0.0.1:{port}/")
    assert said == f"TLS handshake with 127.0.0.1:{port} failed"
