"""Modules on a server with several workers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.acceptance.running import Server

ADMIN = "/api/v1/admin"
WORKERS = 3


class Site:
    """A server with a script that calls a module that calls another."""

    def __init__(self, server: Server) -> None:
        self.server, self.token = server, server.login()
        self.inner = self.save("inner", "fn n() { 0 }", "module")
        self.save("outer", 'import "inner" as inner; fn n() { inner::n() }', "module")
        self.save("third", "fn n() { 0 }", "module")
        source = 'import "outer" as o; import "third" as t; o::n() + t::n()'
        self.page = self.save("page", source, "endpoint")

    def admin(self, method: str, path: str, body: object) -> Any:
        answer = self.server.request(method, ADMIN + path, body, self.token)
        assert answer.status < 300, answer.body
        return answer.json

    def save(self, name: str, source: str, kind: str) -> str:
        body = {"name": name, "source": source, "kind": kind, "execute_access": "open"}
        script_id: str = self.admin("POST", "/apps/default/scripts", body)["id"]
        return script_id

    def edit(self, n: int) -> None:
        self.admin("PATCH", f"/scripts/{self.inner}", {"source": f"fn n() {{ {n} }}"})

    def answers(self, count: int) -> list[Any]:
        """Of so many requests, each on a connection of its own, so that they meet every worker."""

        def one(_: int) -> Any:
            return self.server.request("POST", f"/api/v1/execute/{self.page}").json

        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(one, range(count)))


def test_the_next_request_on_every_worker_runs_an_edited_module(data_dir: Path) -> None:
    with Server(data_dir, ("--port", "0", "--workers", str(WORKERS))) as server:
        site = Site(server)
        assert set(site.answers(40)) == {0}
        for n in range(1, 9):
            site.edit(n)
            assert site.answers(40) == [n] * 40
