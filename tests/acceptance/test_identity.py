"""Users and keys on a real server with several workers: an end takes effect on every worker immediately."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.acceptance.running import Server

ADMIN = "/api/v1/admin"
PASSWORD = "correct horse battery"
CONNECTIONS, ROUNDS = 16, 15
WORKERS = 3


class Instance:
    """A server, a token of its owner, and connections that are spread over its workers."""

    def __init__(self, server: Server, connections: list[http.client.HTTPConnection]) -> None:
        self.server = server
        self.owner = server.login()
        self.connections = connections

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """The owner's call, which succeeds; returns its JSON."""
        answer = self.server.request(method, ADMIN + path, body, self.owner)
        assert answer.status in (200, 201, 204), answer.body
        return answer.json if answer.body else None

    def log_in(self, name: str) -> str:
        body = {"username": name, "password": PASSWORD}
        answer = self.server.request("POST", f"{ADMIN}/auth/login", body)
        assert answer.status == 200, answer.body
        return str(answer.json["token"])

    def everywhere(self, token: str, path: str = "/auth/me") -> set[int]:
        """The statuses of one call on every connection."""
        return {
            self.server.request("GET", ADMIN + path, None, token, connection).status
            for connection in self.connections
        }


@pytest.fixture
def instance(data_dir: Path) -> Iterator[Instance]:
    with ExitStack() as stack:
        server = stack.enter_context(Server(data_dir, ("--port", "0", "--workers", str(WORKERS))))
        connections = [stack.enter_context(closing(server.connect())) for _ in range(CONNECTIONS)]
        yield Instance(server, connections)


def test_a_revoked_key_is_rejected_by_the_next_request_on_every_worker(instance: Instance) -> None:
    for _ in range(ROUNDS):
        key = instance.admin("POST", "/api-keys", {"name": "ci", "scopes": ["script:read"]})
        assert instance.everywhere(key["key"]) == {200}
        instance.admin("DELETE", f"/api-keys/{key['id']}")
        assert instance.everywhere(key["key"]) == {401}


def test_a_session_is_rejected_by_the_next_request_after_log_out(instance: Instance) -> None:
    instance.admin("POST", "/users", {"username": "vic", "password": PASSWORD})
    for _ in range(ROUNDS):
        token = instance.log_in("vic")
        assert instance.everywhere(token) == {200}
        answer = instance.server.request("POST", f"{ADMIN}/auth/logout", None, token)
        assert answer.status == 204
        assert instance.everywhere(token) == {401}


def test_a_deactivated_user_is_rejected_by_the_next_request(instance: Instance) -> None:
    instance.admin("POST", "/users", {"username": "vic", "password": PASSWORD})
    for _ in range(ROUNDS):
        token = instance.log_in("vic")
        made = instance.server.request(
            "POST", f"{ADMIN}/api-keys", {"name": "ci", "scopes": ["log:read"]}, token
        )
        tokens = (token, made.json["key"])
        assert [instance.everywhere(one) for one in tokens] == [{200}, {200}]
        instance.admin("PATCH", "/users/vic", {"is_active": False})
        assert [instance.everywhere(one) for one in tokens] == [{401}, {401}]
        instance.admin("PATCH", "/users/vic", {"is_active": True})


def test_a_membership_is_added_and_removed_with_the_next_request(instance: Instance) -> None:
    instance.admin("POST", "/users", {"username": "vic", "password": PASSWORD})
    token, path = instance.log_in("vic"), "/apps/default/members/vic"
    changes: list[tuple[Callable[[], Any], str, int]] = [
        (lambda: instance.admin("PUT", path, {"role": "viewer"}), "/apps/default", 200),
        (lambda: instance.admin("PATCH", path, {"role": "app_admin"}), "/apps/default/members", 200),
        (lambda: instance.admin("PATCH", path, {"role": "viewer"}), "/apps/default/members", 403),
        (lambda: instance.admin("DELETE", path), "/apps/default", 403),
    ]
    for _ in range(ROUNDS):
        for change, asked, status in changes:
            change()
            assert instance.everywhere(token, asked) == {status}


def test_attempts_are_counted_by_all_workers_together(instance: Instance) -> None:
    body = {"username": "owner", "password": "a wrong guess"}
    statuses = [
        instance.server.request("POST", f"{ADMIN}/auth/login", body, None, connection).status
        for connection in instance.connections
    ]
    assert statuses[:6] == [401] * 6  # one wait of a second may be over on a slow machine, more are not
    assert statuses.count(401) <= 8


def test_two_hundred_concurrent_logins_leave_the_server_within_its_memory(data_dir: Path) -> None:
    variables = {"PICLOUD_TRUSTED_PROXIES": "127.0.0.1", "PICLOUD_MAX_CONNECTIONS_PER_ADDRESS": "1000"}
    with Server(data_dir, variables=variables) as server:
        workers = [psutil.Process(one.pid) for one in server.workers()]

        def memory() -> int:
            return max(one.memory_info().rss for one in workers)

        def log_in(number: int) -> int:
            """Each from an address and for a name of its own, as a botnet would."""
            body = json.dumps({"username": f"user{number}", "password": PASSWORD})
            headers = {
                "Host": "localhost",
                "Content-Type": "application/json",
                "X-Forwarded-For": f"198.51.{number // 100}.{number % 100}",
            }
            with closing(server.connect()) as connection:
                connection.request("POST", f"{ADMIN}/auth/login", body, headers)
                return connection.getresponse().status

        assert server.request("GET", "/hello").status == 200
        before, peak = memory(), 0
        with ThreadPoolExecutor(200) as threads:
            attempts = [threads.submit(log_in, number) for number in range(200)]
            while wait(attempts, 0.2).not_done:
                assert server.request("GET", "/hello").status == 200
                peak = max(peak, memory())
            statuses = Counter(attempt.result() for attempt in attempts)
        assert set(statuses) <= {401, 503}
        assert statuses[401] >= 100
        # Two hashes of 32 MiB at a time in each worker; two hundred would take 6 GiB.
        assert peak - before < 200 * 1024 * 1024
        assert server.login()
