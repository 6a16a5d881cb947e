"""Whether the time of a denied request reveals that an app or a user exists."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from benches.ratio import compared
from benches.server import HOST, PASSWORD, Server

PAIRS = 5000
ADMIN = "/api/v1/admin"


@pytest.mark.parametrize(
    ("what", "method", "path", "names", "status"),
    [
        ("read of an app", "GET", "/apps/{}/scripts", ("theirs", "absent"), 403),
        ("write in an app", "DELETE", "/apps/{}/vars/NAME", ("theirs", "absent"), 403),
        ("addition of a member", "PUT", "/apps/mine/members/{}", ("bench", "nobody"), 404),
    ],
)
def test_time_of_denied_requests(
    tmp_path: Path,
    report: Callable[[str, str, str], None],
    what: str,
    method: str,
    path: str,
    names: tuple[str, str],
    status: int,
) -> None:
    server = Server(tmp_path / "data", 1)
    owner = server.token()
    for slug in ("theirs", "mine"):
        server.call("POST", f"{ADMIN}/apps", {"slug": slug, "name": slug}, owner)
    server.call("POST", f"{ADMIN}/users", {"username": "eve", "password": PASSWORD}, owner)
    server.call("PUT", f"{ADMIN}/apps/mine/members/eve", {"role": "app_admin"}, owner)
    login = server.call("POST", f"{ADMIN}/auth/login", {"username": "eve", "password": PASSWORD})
    headers = {"Host": "localhost", "Authorization": f"Bearer {login['token']}"}
    body = None
    if method == "PUT":
        body, headers["Content-Type"] = json.dumps({"role": "viewer"}), "application/json"

    def denied(name: str) -> float:
        """Return the seconds of one denied request."""
        began = time.perf_counter()
        connection.request(method, ADMIN + path.format(name), body, headers)
        response = connection.getresponse()
        response.read()
        assert response.status == status
        return time.perf_counter() - began

    with closing(http.client.HTTPConnection(HOST, server.port)) as connection:
        for name in names * 100:
            denied(name)
        pairs = []
        for number in range(PAIRS):
            turn = names if number % 2 else names[::-1]
            took = {name: denied(name) for name in turn}
            pairs.append((took[names[0]], took[names[1]]))
    server.stop()
    report(f"denied {what}, existing against missing", compared(pairs, "existing"), "1.0x, 50 %")
