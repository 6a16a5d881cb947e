"""Routes on a server with several workers."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.running import Server

ADMIN = "/api/v1/admin/apps/default"


def test_a_change_of_routes_is_seen_by_the_very_next_request_on_every_worker(data_dir: Path) -> None:
    with Server(data_dir, ("--port", "0", "--workers", "4")) as server:
        token = server.login()
        script_id = server.script(token, "params", "ctx.request.params")
        # Another app with a claim: the default app no longer serves hosts that no app has claimed.
        for path, body in (("", {"slug": "shop", "name": "Shop"}), ("/shop/domains", {"pattern": "shop.t"})):
            assert server.request("POST", f"/api/v1/admin/apps{path}", body, token).status == 201
        connections = [server.connect() for _ in range(24)]  # spread over the workers by the kernel

        def seen(path: str) -> set[tuple[int, bytes]]:
            answers = [server.request("GET", path, connection=one) for one in connections]
            return {(answer.status, answer.body if answer.status == 200 else b"") for answer in answers}

        try:
            for turn in range(8):
                body = {"script_id": script_id, "method": "GET", "path": f"/t{turn}/:one"}
                route = server.request("POST", f"{ADMIN}/routes", body, token)
                assert route.status == 201, route.body
                assert seen(f"/t{turn}/x") == {(200, b'{"one":"x"}')}
                one = f"{ADMIN}/routes/{route.json['id']}"
                changed = server.request("PATCH", one, {"path": f"/t{turn}/:two"}, token)
                assert changed.status == 200, changed.body
                assert seen(f"/t{turn}/x") == {(200, b'{"two":"x"}')}
                assert server.request("DELETE", one, token=token).status == 204
                assert seen(f"/t{turn}/x") == {(404, b"")}
                claimed = server.request("POST", f"{ADMIN}/domains", {"pattern": f"t{turn}.example"}, token)
                assert claimed.status == 201, claimed.body
                path = f"http://t{turn}.example/hello"  # the target names the host
                assert {status for status, _ in seen(path)} == {200}
                domain = f"{ADMIN}/domains/{claimed.json['id']}"
                assert server.request("DELETE", domain, token=token).status == 204
                assert {status for status, _ in seen(path)} == {404}
        finally:
            for connection in connections:
                connection.close()
