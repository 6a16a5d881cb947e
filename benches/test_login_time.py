"""Whether the time of a refused log-in tells that a name exists."""

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

USERS, ATTEMPTS = 40, 5  # as many wrong guesses as an account has before it must wait
LOGIN = "/api/v1/admin/auth/login"


def test_time_of_refused_logins(
    tmp_path: Path, report: Callable[[str, str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PICLOUD_TRUSTED_PROXIES", "127.0.0.1")  # each attempt from an address of its own
    server = Server(tmp_path / "data", 1)
    token = server.token()
    for number in range(USERS):
        user = {"username": f"known{number:02}", "password": PASSWORD}
        server.call("POST", "/api/v1/admin/users", user, token)

    def refused(name: str, number: int) -> float:
        """Seconds of one refused log-in."""
        body = json.dumps({"username": name, "password": "not the password of anyone"})
        headers = {
            "Host": "localhost",
            "Content-Type": "application/json",
            "X-Forwarded-For": f"198.{18 + number % 2}.{number // 250}.{number % 250}",
        }
        began = time.perf_counter()
        connection.request("POST", LOGIN, body, headers)
        response = connection.getresponse()
        response.read()
        assert response.status == 401
        return time.perf_counter() - began

    with closing(http.client.HTTPConnection(HOST, server.port)) as connection:
        refused("warm-up", 0)
        pairs = []
        for number in range(USERS * ATTEMPTS):
            names = [f"known{number % USERS:02}", f"other{number % USERS:02}"]
            turn = names if number % 2 else names[::-1]
            took = {name: refused(name, 2 * number + at) for at, name in enumerate(turn)}
            pairs.append((took[names[0]], took[names[1]]))
    server.stop()
    report("refused log-in, known against unknown name", compared(pairs, "known"), "1.0x, 50 %")
