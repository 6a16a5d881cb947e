"""No secret is in a log, record, process title or file after a server was used and misused."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.running import OWNER, Server

ADMIN = "/api/v1/admin"
GUESS, SHORT, TYPED_AS_NAME = "a wrong guess of mine", "too5hort!", "typed-into-the-wrong-field"
TELLS_ALL = (
    'let r = ctx.request; log::info("seen", #{ headers: r.headers, query: r.query }); throw `${r.headers}`'
)


def test_no_secret_is_left_anywhere_by_a_server_that_was_used_and_misused(data_dir: Path) -> None:
    options = ("--port", "0", "--workers", "1")
    with Server(data_dir, options, {**OWNER, "PICLOUD_LOG_LEVEL": "debug"}) as server:
        token = server.login()
        made = server.request("POST", f"{ADMIN}/api-keys", {"name": "ci", "scopes": ["script:read"]}, token)
        key = made.json["key"]
        secrets = [OWNER["PICLOUD_BOOTSTRAP_PASSWORD"], GUESS, SHORT, TYPED_AS_NAME, token, key]
        name = OWNER["PICLOUD_BOOTSTRAP_USERNAME"]
        for body, status in (
            ({"username": name, "password": GUESS}, 401),
            ({"username": TYPED_AS_NAME, "password": GUESS}, 401),
            ({"username": name, "password": GUESS, "extra": TYPED_AS_NAME}, 422),
        ):
            assert server.request("POST", f"{ADMIN}/auth/login", body).status == status
        short = {"username": "bob", "password": SHORT}
        assert server.request("POST", f"{ADMIN}/users", short, token).status == 422
        change = {"current": GUESS, "password": GUESS}
        assert server.request("POST", f"{ADMIN}/auth/password", change, token).status == 403
        script = server.script(token, "tells", TELLS_ALL)
        for sent in (token, key):
            path = f"/api/v1/execute/{script}?token={sent}"
            assert server.request("POST", path, None, sent).status == 502
        assert server.request("GET", f"{ADMIN}/nothing?key={key}", None, key).status == 404
        records = server.request("GET", f"{ADMIN}/scripts/{script}/logs", None, token)
        assert len(records.json["items"]) == 2
        audit = server.request("GET", f"{ADMIN}/audit", None, token)
        titles = "\n".join(" ".join(one.cmdline()) for one in server.family()).encode()
        for secret in secrets:
            assert secret.encode() not in records.body + audit.body + titles
        assert server.stop() == 0
    told = server.log_file.read_bytes()
    kept = [file for file in data_dir.rglob("*") if file.is_file()]
    assert any("pg_wal" in file.parts for file in kept)
    for text in (told, *(file.read_bytes() for file in kept)):
        assert [secret for secret in secrets if secret.encode() in text] == []
