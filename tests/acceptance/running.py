"""Runs a real `picloud serve`, with an HTTP client."""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from tests.cache import machine_code

PATIENCE = 180.0  # only keeps a failure from hanging
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None)
OWNER = {"PICLOUD_BOOTSTRAP_USERNAME": "owner", "PICLOUD_BOOTSTRAP_PASSWORD": "correct horse battery"}


def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Wait for a condition to hold, and return its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {seconds:g} s in vain: {what}"
        time.sleep(0.02)
    return value


def end_with_parent() -> None:
    """To be run in a child before its program: when the tests are killed it is told to stop (Linux)."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without settings of PiCloud but those given; commands need not compile."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PICLOUD_")}
    return {**kept, "PYTHONUNBUFFERED": "1", "XDG_CACHE_HOME": str(machine_code().parent), **more}


@dataclass
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """One server: `with Server(data_dir) as server`, or `start` and a stop of one's own."""

    data_dir: Path
    arguments: Sequence[str] = ("--port", "0", "--workers", "2")
    variables: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    port: int = 0

    @property
    def log_file(self) -> Path:
        return self.data_dir.parent / f"{self.data_dir.name}.log"

    def lines(self) -> list[dict[str, Any]]:
        """What it logged in its current life."""
        lines = self.log_file.read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def logged(self, message: str) -> list[dict[str, Any]]:
        return [line for line in self.lines() if message in str(line["message"])]

    def start(self) -> Server:
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "picloud", "serve", "--data-dir", str(self.data_dir), *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(self.variables),
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        process = self.process
        try:
            until(lambda: process.poll() is not None or self.logged("ready"), "the server to be ready")
            assert process.poll() is None, self.log_file.read_text("utf-8")
        except BaseException:
            process.kill()
            process.wait()
            raise
        self.port = self.logged("ready")[0]["port"]
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def workers(self) -> list[psutil.Process]:
        found = []
        for child in psutil.Process(self.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):  # it died meanwhile, and may be a zombie still
                if "picloud" in child.cmdline():
                    found.append(child)
        return found

    def family(self) -> list[psutil.Process]:
        """The server and every process it started, the database's too."""
        parent = psutil.Process(self.pid)
        return [parent, *parent.children(recursive=True)]

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait for the end; returns the exit code."""
        assert self.process is not None
        return self.process.wait(PATIENCE)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and wait for the end; returns the exit code."""
        self.send(number)
        return self.ended()

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.stop(signal.SIGKILL if kind else signal.SIGINT)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        token: str | None = None,
        connection: http.client.HTTPConnection | None = None,
    ) -> Answer:
        """One request with Host localhost; a body is sent as JSON."""
        headers = {"Host": "localhost"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        used = connection or self.connect()
        try:
            used.request(method, path, None if body is None else json.dumps(body), headers)
            response = used.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            if connection is None:
                used.close()

    def login(self) -> str:
        """The token of the bootstrap owner."""
        name, password = OWNER.values()
        answer = self.request("POST", "/api/v1/admin/auth/login", {"username": name, "password": password})
        assert answer.status == 200, answer.body
        token: str = answer.json["token"]
        return token

    def script(self, token: str, name: str, source: str) -> str:
        """Save a script in the app `default` that everyone can execute by its id; returns its id."""
        path = "/api/v1/admin/apps/default/scripts"
        body = {"name": name, "source": source, "execute_access": "open"}
        answer = self.request("POST", path, body, token)
        assert answer.status == 201, answer.body
        script_id: str = answer.json["id"]
        return script_id


def gone(processes: Sequence[psutil.Process]) -> bool:
    """Whether none of these runs any more (a zombie does not run)."""
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)


def refused(
    data_dir: Path, *arguments: str, code: int = 1, variables: Mapping[str, str] | None = None
) -> str:
    """What a server that does not start says on standard error."""
    ended = subprocess.run(
        [sys.executable, "-m", "picloud", "serve", "--data-dir", str(data_dir), *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env=environment(variables or {}),
    )
    assert ended.returncode == code, ended.stderr
    return ended.stderr
