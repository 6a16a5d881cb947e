"""A server with the examples, the command line that pushes them, and an HTTP client."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance.running import PATIENCE, Answer, Server, environment


@dataclass
class Site:
    """A server that has the examples.

    Attributes:
        server: it.
        folder: with a copy of the examples, and what the command line remembers.
        headers: of every request.
    """

    server: Server
    folder: Path
    headers: Mapping[str, str] = field(default_factory=dict)

    def picloud(self, *arguments: str, typed: str = "") -> str:
        """Run a command; returns what it prints."""
        ended = subprocess.run(
            [sys.executable, "-m", "picloud", *arguments],
            input=typed,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            env=environment({"HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder / ".config")}),
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def setup(self, app: str) -> Any:
        """What its script `setup` makes and shows once."""
        return json.loads(self.picloud("scripts", "run", "setup", "--app", app))

    def ask(
        self, app: str, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """A request to an example.

        Args:
            app: whose host is asked.
            method: of HTTP.
            path: with its query.
            body: bytes as they are, anything else as JSON.
            headers: besides those of every request.

        Returns:
            The answer, with names of headers in lower case.
        """
        sent = {"Host": f"{app}.localhost", **self.headers, **(headers or {})}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
        try:
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            return Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
        finally:
            connection.close()

    def everything(self, app: str, path: str, limit: int) -> list[Any]:
        """The items of all pages."""
        items: list[Any] = []
        cursor = None
        while True:
            more = f"&cursor={cursor}" if cursor else ""
            page = self.ask(app, "GET", f"{path}{'&' if '?' in path else '?'}limit={limit}{more}").json
            assert len(page["items"]) <= limit
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items
