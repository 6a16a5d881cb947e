"""docs/cli.md has every command, every exit code, and a picloud.toml that can be read."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from picloud.cli import parser
from picloud.cli.exits import EXIT_CODES
from picloud.cli.remote.folder import project
from picloud.config.client import CLIENT_VARIABLES

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text("utf-8")


def commands(of: argparse.ArgumentParser) -> Iterator[str]:
    """Every command with its verb, as it is typed."""
    within = [action for action in of._actions if isinstance(action, argparse._SubParsersAction)]
    for action in within:
        for one in action.choices.values():
            yield from commands(one)
    if not within:
        yield of.prog


def test_every_command_is_on_the_page_and_no_other() -> None:
    there = set(commands(parser()))
    listed = re.findall(r"^\| `(picloud [^`]*)` \|", PAGE, re.MULTILINE)
    named = [" ".join(word for word in line.split() if word.islower() or "-" in word) for line in listed]
    assert sorted(named) == sorted(there)


def test_every_exit_code_means_what_the_page_says() -> None:
    listed = re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.MULTILINE)
    assert {int(code): text for code, text in listed} == EXIT_CODES


def test_every_variable_is_on_the_page() -> None:
    assert [name for name in CLIENT_VARIABLES if f"`{name}`" not in PAGE] == []


def test_the_project_of_the_page_can_be_read_and_says_all_that_can_be_said(tmp_path: Path) -> None:
    found = re.search(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    (tmp_path / "picloud.toml").write_text(found[1])
    (tmp_path / "checkout.rhai").write_text("1")
    loaded = project.load(tmp_path)
    assert (loaded.slug, loaded.name, list(loaded.scripts)) == ("shop", "Shop", ["checkout"])
    fields = {
        "app": project._AppTable,  # the grammar itself
        "scripts": project._ScriptTable,
        "routes": project._RouteTable,
    }
    missing = [
        f"{table}.{name}"
        for table, model in fields.items()
        for name in model.model_fields
        if not re.search(rf"^{name} = ", found[1], re.MULTILINE)
    ]
    assert missing == []
