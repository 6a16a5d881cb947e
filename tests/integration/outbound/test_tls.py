"""https: certificates are verified with the certificate authorities of the system."""

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
    """A self-signed certificate."""
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
    """An https server named good.example, with a certificate that is not trusted by default."""
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
    """On a system that trusts the certificate of good.example."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "good.example.pem"))
    return make(allow_private=True)


async def test_a_server_with_a_trusted_certificate_gets_the_request(
    trusting: WayOut, secure: WebServer
) -> None:
    for host in ("good.example", "127.0.0.1"):
        got = await trusting.request(secure.url("/a", host))
        assert (got["status"], got["url"]) == (200, secure.url("/a", host))
    assert len(secure.requests) == 2


async def test_a_server_with_an_untrusted_certificate_gets_no_request(dev: WayOut, secure: WebServer) -> None:
    assert await dev.failed(secure.url(host="good.example"), headers=[["authorization", "s3cr3t"]]) == "tls"
    assert secure.requests == []


async def test_a_certificate_of_another_name_is_rejected(trusting: WayOut, secure: WebServer) -> None:
    assert f"bad.example:{secure.port}" in await trusting.error(secure.url(host="bad.example"))
    assert trusting.decision.error == "tls"
    assert secure.requests == []


async def test_no_session_goes_from_one_connection_to_another(trusting: WayOut, secure: WebServer) -> None:
    """A resumed session would show a server that two apps are of one instance."""
    for number in range(4):
        await trusting.of(UUID(int=number)).request(secure.url(host="good.example"))
    assert (secure.connections, secure.resumed) == (4, 0)


async def test_a_redirect_to_an_untrusted_server_is_not_followed(trusting: WayOut, secure: WebServer) -> None:
    secure.responses["/"] = redirect(secure.url("/b", "bad.example"), 307)
    said = await trusting.error(secure.url(host="good.example"), method="POST", body=b"s3cr3t")
    assert f"bad.example:{secure.port}" in said
    assert trusting.decision.error == "tls"
    assert [one.line for one in secure.requests] == ["POST /"]


async def test_plain_http_on_an_https_url_is_an_error(dev: WayOut) -> None:
    async def response(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(response, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await dev.failed(f"https://127.0.0.1:{port}/") == "tls"
