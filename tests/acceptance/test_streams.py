"""Event streams of a real server with several workers."""

from __future__ import annotations

import http.client
import json
import signal
from contextlib import closing
from pathlib import Path

from tests.acceptance.running import Server

FOLLOW = "/api/v1/admin/apps/default/executions:follow"


def follow(connection: http.client.HTTPConnection, token: str) -> http.client.HTTPResponse:
    """Open a stream; returns it when it is open."""
    connection.request("GET", FOLLOW, headers={"Host": "localhost", "Authorization": f"Bearer {token}"})
    response = connection.getresponse()
    assert response.status == 200
    while not response.readline().startswith(b"id: "):
        pass
    return response


def test_each_record_of_any_worker_arrives_once_at_every_stream(data_dir: Path) -> None:
    with Server(data_dir, ("--port", "0", "--workers", "3")) as server:
        token = server.login()
        connections = [server.connect() for _ in range(6)]  # spread over the workers by the kernel
        streams = [follow(connection, token) for connection in connections]
        made = [server.request("GET", "/hello").headers["X-Execution-Id"] for _ in range(30)]
        orders = []
        for stream in streams:
            seen: list[str] = []
            while len(seen) < len(made):
                line = stream.readline()
                if line.startswith(b"data: "):
                    seen.append(json.loads(line[len(b"data: ") :])["execution_id"])
            orders.append(seen)
        assert sorted(orders[0]) == sorted(made)
        assert all(order == orders[0] for order in orders)
        for connection in connections:
            connection.close()


def test_a_stop_does_not_wait_for_streams(data_dir: Path) -> None:
    grace = {"PICLOUD_SHUTDOWN_GRACE_SECONDS": "3600"}
    with Server(data_dir, variables=grace) as server, closing(server.connect()) as connection:
        stream = follow(connection, server.login())
        assert server.stop(signal.SIGTERM) == 0
        rest = stream.read().decode()
    assert "event: closing\n" in rest
    assert '"code":"not_ready"' in rest
