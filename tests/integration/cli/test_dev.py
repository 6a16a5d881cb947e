"""`picloud dev`: the output while an app is edited."""

from __future__ import annotations

from picloud.cli.exits import INTERRUPTED, NOT_ALLOWED, NOT_FOUND, WRONG_USE
from tests.integration.cli.conftest import Shell
from tests.integration.http.conftest import Client


async def test_saving_pushes_shows_errors_on_their_line_and_follows_what_is_executed(
    shell: Shell, client: Client
) -> None:
    await shell.done("pull", "default")
    folder = shell.folder / "default"
    script = folder / "hello.rhai"
    dev = await shell.goes_on("dev", folder=folder)
    await dev.says(f"ANY    http://localhost:{client.port}/hello -> hello")

    script.write_text('print("one"); 1\n')
    await dev.says("~ script hello  source")
    await dev.says("default: 1 changed")
    assert (await client("GET", "/hello")).body == b"1"
    await dev.says("info one")

    script.write_text("let x = ;\n")
    await dev.says("hello.rhai:1:9: ")
    at = next(number for number, line in enumerate(dev.lines) if "hello.rhai:1:9" in line)
    await dev.says("      |         ^")
    assert dev.lines[at + 1 : at + 3] == ["    1 | let x = ;", "      |         ^"]
    assert (await client("GET", "/hello")).body == b"1"

    script.write_text("2\n")
    await dev.says("default: 1 changed", times=2)
    assert (await client("GET", "/hello")).body == b"2"
    toml = folder / "picloud.toml"
    toml.write_text(toml.read_text() + '\n[[routes]]\nscript = "hello"\npath = "/again"\n')
    await dev.says(f"ANY    http://localhost:{client.port}/again -> hello")
    await client("POST", "/again")
    await dev.says("POST /again")
    assert await dev.interrupt() == INTERRUPTED
    assert not any("Traceback" in line for line in dev.lines)


async def test_an_error_in_the_project_is_shown_and_can_be_fixed_while_it_runs(shell: Shell) -> None:
    (shell.folder / "picloud.toml").write_text('[app]\nslgu = "default"\n')
    dev = await shell.goes_on("dev")
    await dev.says("app.slgu: unknown key")
    (shell.folder / "picloud.toml").write_text('[app]\nslug = "default"\n')
    await dev.says("default: ")
    assert await dev.interrupt() == INTERRUPTED


async def test_without_an_app_or_a_login_it_ends(shell: Shell) -> None:
    (shell.folder / "picloud.toml").write_text('[app]\nslug = "nix"\n')
    assert (await shell("dev")).code == NOT_FOUND
    assert (await shell("dev", "nowhere")).code == WRONG_USE
    await shell.done("logout")
    assert (await shell("dev", "--url", shell.url)).code == NOT_ALLOWED
