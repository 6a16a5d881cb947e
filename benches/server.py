"""A real server of PiCloud to measure from outside."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

HOST = "127.0.0.1"
PASSWORD = "a long enough password"


class Server:
    """`picloud serve` as a process.

    Attributes:
        port: where it listens.
        seconds: from starting the process to the first answered `GET /hello`.
        pid: of the parent.
    """

    def __init__(self, folder: Path, workers: int, core: int | None = None) -> None:
        """Start it and wait for the first answer.

        Args:
            folder: data folder.
            workers: worker processes.
            core: the one core it and its database may use, or None for all.
        """
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            self.port: int = probe.getsockname()[1]
        pin = [] if core is None else ["taskset", "-c", str(core)]
        environment = os.environ | {
            "PICLOUD_BOOTSTRAP_USERNAME": "bench",
            "PICLOUD_BOOTSTRAP_PASSWORD": PASSWORD,
            "PICLOUD_APP_SHARE": "1.0",
        }
        began = time.perf_counter()
        command = [sys.executable, "-m", "picloud", "serve", "--port", str(self.port)]
        command += ["--data-dir", str(folder), "--workers", str(workers)]
        self._process = subprocess.Popen([*pin, *command], env=environment, stdout=subprocess.DEVNULL)
        self.pid = self._process.pid
        while not self._answers():
            if self._process.poll() is not None:
                raise RuntimeError("the server did not start")
            time.sleep(0.005)
        self.seconds = time.perf_counter() - began

    def _answers(self) -> bool:
        try:
            self.call("GET", "/hello")
        except (OSError, urllib.error.URLError):
            return False
        return True

    def call(
        self, method: str, path: str, body: object = None, token: str | None = None
    ) -> dict[str, object]:
        """One request; the JSON of the answer."""
        headers = {"Host": "localhost", "Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{HOST}:{self.port}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            answer: dict[str, object] = json.loads(response.read() or b"{}")
        return answer

    def token(self) -> str:
        """A session of the owner."""
        login = {"username": "bench", "password": PASSWORD}
        return str(self.call("POST", "/api/v1/admin/auth/login", login)["token"])

    def add_route(self, path: str, source: str, sandbox: dict[str, int] | None = None) -> None:
        """Save a script and point a route of the app `default` at it."""
        token, app = self.token(), "/api/v1/admin/apps/default"
        draft = {"name": path.strip("/"), "source": source, "sandbox": sandbox or {}}
        script = self.call("POST", f"{app}/scripts", draft, token)
        self.call("POST", f"{app}/routes", {"script_id": script["id"], "method": None, "path": path}, token)

    def stop(self) -> None:
        """Ctrl-C, and wait."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)
