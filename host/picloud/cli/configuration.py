"""`picloud config`, and reads the configuration for all commands."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from picloud.cli.commands import Commands
from picloud.cli.reference import PAGES
from picloud.cli.terminal import fail, paint, table
from picloud.config import TABLE, Configuration, load

FLAGS = ("host", "port", "data_dir", "workers")


def api() -> str:
    """The reference page `docs/api.md`, in Markdown."""
    # The whole HTTP layer: only for this page.
    from picloud.http.application import ENDPOINTS, STANDALONE_ENDPOINTS
    from picloud.http.openapi import markdown
    from picloud.http.openapi.document import document

    return markdown.page(document(ENDPOINTS, STANDALONE_ENDPOINTS))


REFERENCES = {**PAGES, "api": api}


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("config", help="print every setting with its value, source and meaning")
    add_options(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument(
        "--reference", choices=tuple(REFERENCES), help="a reference page in Markdown, without values"
    )
    parser.set_defaults(main=main)


def add_options(parser: argparse.ArgumentParser, *flags: str) -> None:
    """Add `--config` and the flags of some settings.

    Args:
        parser: of the command.
        flags: names of settings that the command line can set.
    """
    parser.add_argument("--config", type=Path, metavar="FILE", help="a server.toml to read")
    for setting in TABLE:
        if setting.name in flags:
            text = f"{setting.help} (default: {setting.default})"
            parser.add_argument(
                f"--{setting.name.replace('_', '-')}", metavar=setting.name.upper(), help=text
            )


def read(arguments: argparse.Namespace) -> Configuration:
    """Read the configuration of a command; warnings about unknown names go to standard error.

    Args:
        arguments: of a command that `add_options` was called for.

    Raises:
        ConfigError: a value is invalid.
    """
    configuration = load({name: getattr(arguments, name, None) for name in FLAGS}, arguments.config)
    for warning in configuration.warnings:
        fail(warning)
    return configuration


def main(arguments: argparse.Namespace) -> int:
    """Print the table."""
    if arguments.reference:
        print(REFERENCES[arguments.reference](), end="")
        return 0
    configuration = read(arguments)
    if arguments.json:
        items = [
            {
                "name": setting.name,
                "env": setting.env,
                "value": configuration.shown(setting)
                if setting.secret
                else _plain(configuration.value(setting)),
                "default": setting.default,
                "source": configuration.sources[setting.name],
                "help": setting.help,
            }
            for setting in TABLE
        ]
        print(json.dumps({"items": items}, indent=2, ensure_ascii=False))
        return 0
    rows = [
        (setting.env, configuration.shown(setting), configuration.sources[setting.name]) for setting in TABLE
    ]
    header, *lines = table(("variable", "value", "source"), rows).splitlines()
    print(header)
    for setting, line in zip(TABLE, lines, strict=True):
        default = f" (default: {setting.default})" if setting.default else ""
        print(f"{line}\n    {paint(setting.help + default, '2')}")
    return 0


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [str(one) for one in value]
    return str(value) if isinstance(value, Path) else value
