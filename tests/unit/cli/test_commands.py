from __future__ import annotations

import io
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from picloud import __version__
from picloud.cli import GROUPS, main
from picloud.cli.exits import EXIT_CODES
from picloud.config import TABLE


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of whoever runs the tests do not matter here."""
    for setting in TABLE:
        monkeypatch.delenv(setting.env, raising=False)


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"picloud {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["run"], ["admin"], ["serve", "--nonsense"]])
def test_a_wrong_command_line_ends_with_2_and_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: picloud" in capsys.readouterr().err


def test_config_prints_every_setting_with_value_and_source(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PICLOUD_PORT", "99")
    assert main(["config"]) == 0
    out = capsys.readouterr().out
    assert all(setting.env in out and setting.help in out for setting in TABLE)
    assert next(line.split() for line in out.splitlines() if "PICLOUD_PORT " in line)[1:] == [
        "99",
        "environment",
    ]


def test_config_as_json_has_the_same_and_no_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PICLOUD_DATABASE_URL", "postgresql://me:hunter2@db/x")
    assert main(["config", "--json"]) == 0
    out = capsys.readouterr().out
    assert "hunter2" not in out
    items = {item["env"]: item for item in json.loads(out)["items"]}
    assert items["PICLOUD_PORT"]["value"] == 8123
    assert items["PICLOUD_DATABASE_URL"]["source"] == "environment"


def test_a_bad_value_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PICLOUD_PORT", "many")
    assert main(["config"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("picloud: PICLOUD_PORT ")
    assert said.count("\n") == 1


def test_the_configuration_file_is_named_server_toml(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "server.toml"
    file.write_text("port = 99\n")
    assert main(["config", "--config", str(file), "--json"]) == 0
    printed = capsys.readouterr()
    port = next(item for item in json.loads(printed.out)["items"] if item["name"] == "port")
    assert (port["value"], port["source"], printed.err) == (99, "file", "")


def test_the_old_file_name_is_read_with_a_warning(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "picloud.toml"
    file.write_text("port = 99\n")
    assert main(["config", "--config", str(file), "--json"]) == 0
    printed = capsys.readouterr()
    port = next(item for item in json.loads(printed.out)["items"] if item["name"] == "port")
    assert (port["value"], port["source"]) == (99, "file")
    assert str(file) in printed.err


def test_an_unknown_variable_is_a_warning(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PICLOUD_PROT", "1")
    assert main(["config"]) == 0
    assert "PICLOUD_PROT " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["missing.rhai", "latin.rhai"])
def test_a_file_that_cannot_be_run_is_reported_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "latin.rhai").write_bytes(b"\xff")
    assert main(["run", str(tmp_path / name)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_short_password_is_rejected_before_anything_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    assert main(["admin", "create", "ada", "--data-dir", str(tmp_path / "data")]) == 1
    assert "256" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_there_is_no_option_for_a_password() -> None:
    with pytest.raises(SystemExit):
        main(["admin", "create", "ada", "--password", "correct horse"])


def test_an_unexpected_error_is_one_line_and_a_traceback_only_with_debug(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("picloud.cli.configuration.load", lambda *_: 1 / 0)
    assert main(["config"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("picloud: ZeroDivisionError: division by zero ")
    assert said.count("\n") == 1
    monkeypatch.setenv("PICLOUD_LOG_LEVEL", "debug")
    with pytest.raises(ZeroDivisionError):
        main(["config"])


def test_help_has_every_command_under_a_title(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    for title, names in GROUPS.items():
        at = lines.index(title)
        assert [line.split()[0] for line in lines[at + 1 : at + 1 + len(names)]] == list(names)
        assert all(len(line.split()) > 2 for line in lines[at + 1 : at + 1 + len(names)])
    assert all(f"  {code:<12}{meaning}" in lines for code, meaning in EXIT_CODES.items())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_know_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    out = capsys.readouterr().out
    assert all(name in out for names in GROUPS.values() for name in names)
    assert "--follow" in out if shell != "fish" else "-l follow" in out


def test_completions_complete_in_bash() -> None:
    if shutil.which("bash") is None:
        pytest.skip("no bash here")
    source = f"source <({shlex.quote(sys.executable)} -m picloud completion bash)"
    script = (
        f'{source}; COMP_WORDS=(picloud scripts re); COMP_CWORD=2; _shtab_picloud; echo "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "restore\n"


@pytest.mark.parametrize("command", ["apps", "push", "logs", "login"])
def test_client_commands_do_not_import_the_server(command: str) -> None:
    script = f"""
import sys
from picloud.cli import parser
parser({command!r})
loaded = [name for name in sys.modules if name.startswith("picloud.")]
heavy = ("picloud.server.serve", "picloud.db", "picloud.services", "picloud.sandbox", "picloud.http")
assert not any(name.startswith(heavy) for name in loaded), loaded
assert not {{"asyncpg", "wasmtime"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
