"""Runs the command `picloud` as a process against a real server."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.running import PATIENCE, environment
from tests.integration.conftest import PASSWORD
from tests.integration.http.conftest import OWNER, Client, anyone, client

__all__ = ["anyone", "client"]


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that ended.

    Attributes:
        code: its exit code.
        out: what it wrote to standard output.
        err: what it wrote to standard error.
    """

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output as JSON."""
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The error it wrote as JSON."""
        return dict(json.loads(self.err)["error"])


@dataclass
class Running:
    """A command that goes on."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)

    async def read(self, stream: asyncio.StreamReader) -> None:
        async for line in stream:
            self.lines.append(line.decode().rstrip("\n"))

    async def says(self, text: str, times: int = 1) -> None:
        """Wait for it to say something so often."""
        async with asyncio.timeout(PATIENCE):
            while sum(text in line for line in self.lines) < times:
                assert self.process.returncode is None, self.lines
                await asyncio.sleep(0.02)

    async def interrupt(self) -> int:
        """Press Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()


@dataclass
class Shell:
    """Somebody's shell.

    Attributes:
        url: of the server.
        home: where their configuration is.
        folder: where they are.
        variables: of their environment.
    """

    url: str
    home: Path
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def credentials(self) -> Path:
        """Where their keys are."""
        return self.home / "picloud" / "credentials.toml"

    def environment(self) -> dict[str, str]:
        """What a command of theirs sees."""
        return environment({"XDG_CONFIG_HOME": str(self.home), "HOME": str(self.home), **self.variables})

    async def __call__(self, *words: str, typed: str | bytes = "", folder: Path | None = None) -> Ended:
        """Run a command to its end; its standard input is no terminal."""
        process = await self._start(words, folder, asyncio.subprocess.PIPE)
        given = typed.encode() if isinstance(typed, str) else typed
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate(given)
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    async def done(self, *words: str, typed: str = "", folder: Path | None = None) -> str:
        """Run a command that is to succeed; returns its output."""
        ended = await self(*words, typed=typed, folder=folder)
        assert ended.code == 0, ended.err
        return ended.out

    async def goes_on(self, *words: str, folder: Path | None = None) -> Running:
        """Start a command that does not end by itself."""
        process = await self._start(words, folder, asyncio.subprocess.STDOUT)
        running = Running(process)
        assert process.stdout is not None
        task = asyncio.create_task(running.read(process.stdout))
        _TASKS.add(task)
        task.add_done_callback(_TASKS.discard)
        return running

    async def at_terminal(self, *words: str, typed: str = "", folder: Path | None = None) -> tuple[int, str]:
        """Run a command at a terminal, where its answers are typed when it asks; code and what was seen."""
        ours, theirs = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *_words(words),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**self.environment(), "TERM": "xterm"},
            cwd=folder or self.folder,
            start_new_session=True,
        )
        os.close(theirs)
        seen = asyncio.create_task(asyncio.to_thread(_watch, ours, typed))
        async with asyncio.timeout(PATIENCE):
            code = await process.wait()
            text = await seen
        os.close(ours)
        return code, text

    async def _start(
        self, words: tuple[str, ...], folder: Path | None, err: int
    ) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *_words(words),
            stdin=asyncio.subprocess.PIPE if err == asyncio.subprocess.PIPE else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=err,
            env=self.environment(),
            cwd=folder or self.folder,
        )


_TASKS: set[asyncio.Task[None]] = set()


# Where the tests run in the background of a shell, Ctrl-C is ignored there and in all that they start.
_PICLOUD = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from picloud.cli import main
sys.exit(main())
"""


def _words(words: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-c", _PICLOUD, *words]


def _watch(terminal: int, typed: str) -> str:
    """Read a terminal to its end, and type a line of the answers at each question."""
    answers = typed.splitlines(keepends=True)
    seen = b""
    while True:
        try:
            read = os.read(terminal, 4096)
        except OSError:  # Linux says so when the last of the other side has gone
            break
        if not read:
            break
        seen += read
        if read.rstrip().endswith((b":", b"]")) and answers:
            os.write(terminal, answers.pop(0).encode())
    return seen.decode()


@pytest.fixture
def stranger(client: Client, tmp_path: Path) -> Shell:
    """Somebody who has not logged in."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Shell(f"http://localhost:{client.port}", tmp_path / "config", folder)


@pytest.fixture
async def shell(stranger: Shell) -> Shell:
    """The owner, logged in, in an empty folder."""
    await stranger.done("login", stranger.url, "--username", OWNER, typed=f"{PASSWORD}\n")
    return stranger
