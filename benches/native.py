"""The native baseline as a process to take turns with (see benches/native-rhai)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "benches" / "scripts"


@dataclass(frozen=True)
class Sample:
    """What one command gave.

    Attributes:
        seconds: of each iteration.
        value: what the script returned, as JSON.
    """

    seconds: list[float]
    value: str


class Native:
    """The running baseline."""

    def __init__(self) -> None:
        """Build it with the machine's cargo and start it; skips where there is none."""
        cargo = shutil.which("cargo")
        if cargo is None:
            pytest.skip("no Rust toolchain: there is no native baseline to measure against")
        workspace = ROOT / "guest-runtime"
        subprocess.run(
            [cargo, "build", "--release", "--quiet", "-p", "native-rhai"], cwd=workspace, check=True
        )
        target = Path(os.environ.get("CARGO_TARGET_DIR", workspace / "target"))
        self._process = subprocess.Popen(
            [target / "release" / "native-rhai", SCRIPTS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, command: str) -> Sample:
        """Run one command of its protocol, such as `p1 500`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Sample([nanoseconds / 1e9 for nanoseconds in answer["ns"]], answer["value"])

    def close(self) -> None:
        """Stop it."""
        self._process.communicate()
