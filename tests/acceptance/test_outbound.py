"""Outbound calls of a real server: denied calls, development mode, and records."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.running import OWNER, Server

ASK = "try { return http::get(ctx.request.body.url).status; } catch (e) { return e; }"


class _Neighbour(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def neighbour() -> Iterator[ThreadingHTTPServer]:
    """Another server on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Neighbour)
    server.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever).start()
    yield server
    server.shutdown()
    server.server_close()


def _says(server: Server, script_id: str, url: str) -> object:
    return server.request("POST", f"/api/v1/execute/{script_id}", {"url": url}).json


def test_calls_to_the_own_machine_are_denied_and_recorded(
    data_dir: Path, neighbour: ThreadingHTTPServer
) -> None:
    with Server(data_dir, variables=OWNER) as server:
        token = server.login()
        script_id = server.script(token, "ask", ASK)
        for port in (neighbour.server_port, server.port):
            for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
                assert "private address" in str(_says(server, script_id, f"http://{host}:{port}/"))
        assert neighbour.asked == []  # type: ignore[attr-defined]
        records = server.request("GET", f"/api/v1/admin/scripts/{script_id}/logs", token=token).json["items"]
        assert {record["outbound"][0]["category"] for record in records} == {"private address"}
        assert not server.logged("PICLOUD_HTTP_ALLOW_PRIVATE")


def test_development_mode_allows_the_machine_but_not_the_server(
    data_dir: Path, neighbour: ThreadingHTTPServer
) -> None:
    with Server(data_dir, variables={**OWNER, "PICLOUD_HTTP_ALLOW_PRIVATE": "true"}) as server:
        script_id = server.script(server.login(), "ask", ASK)
        assert _says(server, script_id, f"http://127.0.0.1:{neighbour.server_port}/a") == 200
        assert neighbour.asked == ["/a"]  # type: ignore[attr-defined]
        for host in ("127.0.0.1", "localhost"):
            assert "this server" in str(_says(server, script_id, f"http://{host}:{server.port}/"))
        assert server.logged("PICLOUD_HTTP_ALLOW_PRIVATE")[0]["level"] == "warning"
