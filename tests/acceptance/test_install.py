"""What `script/serve` and `script/test` print when a requirement is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("sh", "cat", "dirname", "id", "mkdir", "rm", "cp", "sleep")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout (in a path with a space) with the scripts and the locks, and an empty PATH beside it."""
    folder = tmp_path / "check out"
    shutil.copytree(ROOT / "script", folder / "script")
    shutil.copytree(ROOT / "requirements", folder / "requirements")
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / "bin" / tool).symlink_to(found)
    return folder


def _program(checkout: Path, name: str, text: str) -> None:
    file = checkout.parent / "bin" / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def _run(checkout: Path, script: str = "serve") -> subprocess.CompletedProcess[str]:
    path = str(checkout.parent / "bin")
    return subprocess.run(
        [checkout / "script" / script],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={"PATH": path, "HOME": os.environ.get("HOME", "/")},
        timeout=60,
    )


@pytest.mark.parametrize("script", ["serve", "test"])
def test_a_machine_without_python_gets_the_install_command(checkout: Path, script: str) -> None:
    _program(checkout, "apt-get", "exit 1")
    ended = _run(checkout, script)
    assert ended.returncode == 1
    assert "Python 3.11 " in ended.stderr
    assert "apt-get install -y python3.11 python3.11-venv" in ended.stderr


def test_an_old_python_is_named_with_its_version(checkout: Path) -> None:
    _program(checkout, "python3", "echo '3.9 False'")
    _program(checkout, "dnf", "exit 1")
    ended = _run(checkout)
    assert ended.returncode == 1
    assert "(python3 is 3.9)" in ended.stderr
    assert "dnf install -y python3.12" in ended.stderr


def test_a_python_without_venv_gets_the_name_of_the_package(checkout: Path) -> None:
    _program(checkout, "python3", 'case "$2" in *version_info*) echo "3.12 True";; *) exit 1;; esac')
    _program(checkout, "apt-get", "exit 1")
    ended = _run(checkout)
    assert ended.returncode == 1
    assert "python3 (3.12) " in ended.stderr
    assert "apt-get install -y python3.12-venv" in ended.stderr


def test_a_failed_download_is_explained_and_the_next_run_retries(checkout: Path) -> None:
    _program(checkout, "python3", 'case "$2" in *version_info*) echo "3.12 True";; esac')
    venv = checkout / ".venv" / "bin"
    venv.mkdir(parents=True)
    python = venv / "python"
    python.write_text(
        '#!/bin/sh\ncase "$*" in *--version*) exit 0;; *) echo "pip: no route to host" >&2; exit 1;; esac\n'
    )
    python.chmod(0o755)
    for _ in range(2):
        ended = _run(checkout)
        assert ended.returncode == 1
        assert "no route to host" in ended.stderr
        assert "HTTPS_PROXY" in ended.stderr
    assert not (checkout / ".venv.lock").exists()


def test_a_killed_installation_does_not_block_the_next_one(checkout: Path) -> None:
    guard = checkout / ".venv.lock"
    guard.mkdir()
    child = subprocess.Popen(["true"])
    child.wait()
    (guard / "pid").write_text(f"{child.pid}\n")
    _program(
        checkout,
        "python3",
        'case "$2" in *version_info*) echo "3.12 True";; *ensurepip*) exit 0;; *) exit 1;; esac',
    )
    said = _run(checkout).stderr
    assert "waiting" not in said
    assert str(checkout / ".venv") in said


def test_an_up_to_date_environment_is_used_at_once(checkout: Path) -> None:
    """Neither a Python on the PATH nor pip is asked for when the lock has not changed."""
    venv = checkout / ".venv"
    (venv / "bin").mkdir(parents=True)
    python = venv / "bin" / "python"
    python.write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')
    python.chmod(0o755)
    shutil.copy(checkout / "requirements" / "serve.txt", venv / "serve.txt")
    ended = subprocess.run(
        [checkout / "script" / "serve", "--port", "1", "--data-dir", "a b"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(checkout.parent / "bin")},
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "<-m><picloud><serve><--port><1><--data-dir><a b>"


def test_the_lock_names_no_host_and_pins_everything_by_hash() -> None:
    for file in (ROOT / "requirements").glob("*.txt"):
        text = file.read_text("utf-8")
        assert "://" not in text
        assert "--index" not in text
        pins = [
            block for block in text.replace("\\\n", " ").splitlines() if block.strip() and block[0] != "#"
        ]
        assert all("==" in pin and "--hash=sha256:" in pin for pin in pins)


def test_both_locks_agree() -> None:
    def versions(name: str) -> dict[str, str]:
        lines = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8").splitlines()
        pins = [line.split(" ")[0] for line in lines if "==" in line and not line.startswith(" ")]
        return dict(pin.split("==") for pin in pins)

    serve, test = versions("serve"), versions("test")
    assert serve.items() <= test.items()
