r"""Runs the commands of a page in order, as the users of the page, against a new server.

Every fenced block of `sh` is run; a word behind `sh` says whose shell it is. A block in a comment
(`<!-- sh`, lines, `-->`) is run too: what the page takes for granted. What has to be known beyond that
stands in comments above the block, which no reader of the page sees:

- `<!-- stays -->`: the command goes on running, until the page ends; the page's server is such a one.
- `<!-- typed: TEXT -->`: what is typed when it asks, `\n` between the answers.
- `<!-- exit: N -->`: it ends with this exit code instead of 0.
- `<!-- not run: WHY -->`: it is not run.

A fenced block of `text` right below is what the commands print; `…` stands for what differs.
"""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests.acceptance.running import PATIENCE, end_with_parent, environment, until

ROOT = Path(__file__).parents[2]
PORT = "8123"
"""What the pages write; a free one takes its place."""

_BLOCK = re.compile(
    r"(?P<notes>(?:^<!-- .* -->\n)*)"
    r"^(?:```|<!-- )sh(?: (?P<person>\w+))?\n(?P<commands>(?:.*\n)*?)(?:```|-->)\n"
    r"(?:\n```text\n(?P<output>(?:.*\n)*?)```\n)?",
    re.MULTILINE,
)
_NOTE = re.compile(r"<!-- (stays|typed|exit|not run)(?:: (.*))? -->")


@dataclass(frozen=True, slots=True)
class Block:
    """One block of commands.

    Attributes:
        commands: shell.
        person: whose shell.
        notes: the comments above it.
        output: what it prints, or None where the page does not show it.
    """

    commands: str
    person: str
    notes: dict[str, str]
    output: str | None


def blocks(page: Path) -> Iterator[Block]:
    """Read a page. Args: page: Markdown."""
    for found in _BLOCK.finditer(page.read_text("utf-8")):
        notes = {name: text or "" for name, text in _NOTE.findall(found["notes"])}
        yield Block(found["commands"], found["person"] or "operator", notes, found["output"])


@dataclass(slots=True)
class Walk:
    """A walk along a page.

    Attributes:
        folder: empty; everybody gets a home in it.
        machine_code: what compiling the sandbox led to before, so that it need not be compiled again.
        port: of the page's server.
    """

    folder: Path
    machine_code: Path
    port: int = 0
    _staying: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Walk:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        data = self.folder / "data"
        data.mkdir(mode=0o711)
        shutil.copytree(self.machine_code, data / "machine-code")
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._staying:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE)

    def go(self, page: Path) -> int:
        """Run a page; returns how many blocks were run. Args: page: Markdown."""
        count = 0
        for block in blocks(page):
            if "not run" not in block.notes:
                self._stay(block) if "stays" in block.notes else self._run(block)
                count += 1
        return count

    def _stay(self, block: Block) -> None:
        home, variables = self._person(block.person)
        log = self.folder / "server.log"
        before, _, last = self._here(block.commands).strip().rpartition("\n")
        with log.open("wb") as stream:
            process = subprocess.Popen(
                ["sh", "-e", "-c", f". '{home}/.state'\n{before}\nexec env {last}\n"],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=variables,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        self._staying.append(process)
        until(lambda: process.poll() is not None or self._is_ready(), "the page's server to be ready")
        assert process.poll() is None, log.read_text("utf-8")

    def _run(self, block: Block) -> None:
        home, variables = self._person(block.person)
        ended = subprocess.run(
            ["sh", "-e", "-c", self._script(home, block)],
            input=block.notes["typed"].replace("\\n", "\n") + "\n" if "typed" in block.notes else "",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
            env=variables,
        )
        assert ended.returncode == int(block.notes.get("exit", 0)), f"{block.commands}\n{ended.stdout}"
        if block.output is not None:
            assert is_as_shown(ended.stdout, self._here(block.output)), f"{block.commands}\n{ended.stdout}"

    def _script(self, home: Path, block: Block) -> str:
        """The commands between what is left of the block before and what the next one needs of this."""
        state = home / ".state"
        keep = f"{{ export -p; printf 'cd \"%s\"\\n' \"$PWD\"; }} > '{state}'"
        return f". '{state}'\n{self._here(block.commands)}\n{keep}\n"

    def _here(self, text: str) -> str:
        return text.replace(PORT, str(self.port))

    def _person(self, name: str) -> tuple[Path, dict[str, str]]:
        """Somebody's home, with a clone of this repository in which everything is installed."""
        home = self.folder / name
        clone = home / "picloud"
        if not home.exists():
            (clone / ".venv" / "bin").mkdir(parents=True)
            for path in (ROOT / "script", ROOT / "requirements"):
                (clone / path.name).symlink_to(path)
            shutil.copytree(ROOT / "examples", clone / "examples", ignore=shutil.ignore_patterns(".picloud"))
            shutil.copy(ROOT / "requirements" / "serve.txt", clone / ".venv" / "serve.txt")
            for command, arguments in (("python", ""), ("picloud", "-m picloud")):
                file = clone / ".venv" / "bin" / command
                file.write_text(f"#!/bin/sh\nexec '{sys.executable}' {arguments} \"$@\"\n")
                file.chmod(0o755)
            (home / ".state").write_text(f"cd '{clone}'\n")
            # At a terminal curl shows no progress by itself, where its answer goes there too.
            (home / ".curlrc").write_text("silent\nshow-error\n")
        variables = environment({"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")})
        if name == "operator":
            variables |= {"PICLOUD_DATA_DIR": str(self.folder / "data"), "PICLOUD_PORT": str(self.port)}
            variables |= {"PICLOUD_WORKERS": "2"}
        return home, variables

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/readyz") as answer:
                return bool(answer.status == 200)
        except (URLError, ConnectionError):
            return False


def is_as_shown(printed: str, shown: str) -> bool:
    """Whether an output is what a page shows.

    Args:
        printed: by the commands.
        shown: on the page; `…` is anything on one line, and how many spaces there are is no matter.
    """
    pattern = ".*".join(re.escape(" ".join(part.split(" "))) for part in shown.strip().split("…"))
    pattern = re.sub(r"(\\ )+", " +", pattern)
    return re.fullmatch(pattern, printed.strip()) is not None
