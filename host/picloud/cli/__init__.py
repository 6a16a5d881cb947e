"""The command `picloud`.

Commands are imported when they are needed, so that those for remote servers start without loading the server.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module

from picloud import __version__
from picloud.cli.exits import EXIT_CODES, FAILED, INTERRUPTED, WRONG_USE, Failure
from picloud.cli.terminal import fail, json_text, paint

GROUPS = {
    "This machine": {
        "serve": "serve",
        "run": "run",
        "bench": "bench",
        "config": "configuration",
        "migrate": "admin",
        "admin": "admin",
    },
    "Log in to a server": {
        "login": "remote.login",
        "logout": "remote.login",
        "whoami": "remote.login",
        "password": "remote.password",
        "sessions": "remote.sessions",
    },
    "An app from a folder": {"push": "remote.push", "pull": "remote.pull", "dev": "remote.dev"},
    "Resources of a server": {
        "apps": "remote.apps",
        "scripts": "remote.scripts",
        "routes": "remote.routes",
        "domains": "remote.domains",
        "settings": "remote.settings",
        "vars": "remote.vars",
        "kv": "remote.kv",
        "docs": "remote.docs",
        "files": "remote.files",
        "logs": "remote.logs",
        "members": "remote.members",
        "users": "remote.users",
        "keys": "remote.keys",
        "audit": "remote.audit",
    },
    "Your shell": {"completion": "completion"},
}
"""Title -> command -> the module below this package that adds it, in the order they are shown."""


class CommandLine(argparse.ArgumentParser):
    """The command line; its help lists the commands in groups."""

    def format_help(self) -> str:
        """Return the help of all commands."""
        about = {action.dest: action.help or "" for action in _commands(self)}
        lines = [f"usage: {self.prog} COMMAND ...", "", self.description or ""]
        for title, names in GROUPS.items():
            lines += ["", paint(title, "1"), *(f"  {name:<12}{about[name]}" for name in names)]
        lines += ["", paint("Exit codes", "1"), *(f"  {code:<12}{text}" for code, text in EXIT_CODES.items())]
        return "\n".join([*lines, "", self.epilog or "", ""])


def _commands(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:  # noqa: SLF001  # argparse has no public way to its own commands
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            yield from action._choices_actions  # noqa: SLF001


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """Create the parser.

    Args:
        only: the only command to load; None for all commands.
    """
    top = CommandLine(
        prog="picloud",
        description="A self-hosted function platform: scripts run in fresh, metered WebAssembly instances.",
        epilog="Run picloud COMMAND --help for more.",
    )
    top.add_argument("--version", action="version", version=f"picloud {__version__}")
    commands = top.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=argparse.ArgumentParser
    )
    modules = {name: module for names in GROUPS.values() for name, module in names.items()}
    for module in dict.fromkeys([modules[only]] if only in modules else modules.values()):
        import_module(f"picloud.cli.{module}").add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: arguments without the program's name; those of the process when None.

    Returns:
        The exit code.
    """
    words = sys.argv[1:] if argv is None else argv
    arguments = parser(words[0] if words else None).parse_args(words)
    try:
        code: int = arguments.main(arguments)
        sys.stdout.flush()
    except Failure as failure:
        if getattr(arguments, "json", False):
            print(json_text(failure.as_json), file=sys.stderr)
        else:
            fail(failure.message)
        return failure.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has closed the pipe (`picloud config | head`); Python would print an error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if os.environ.get("PICLOUD_LOG_LEVEL") == "debug":
            raise
        return _failed(error)
    return code


def _failed(error: Exception) -> int:
    """Print an error of the host package."""
    from picloud.config import ConfigError
    from picloud.core.aiohttp_private import AiohttpMismatch
    from picloud.core.errors import PicloudError
    from picloud.db.unusable import DatabaseUnusable
    from picloud.services.files.store import StoreUnusable

    if isinstance(error, ConfigError):
        for line in error.lines:
            fail(line)
        return WRONG_USE
    if isinstance(error, PicloudError):
        fail(error.message)
    elif isinstance(error, AiohttpMismatch | DatabaseUnusable | StoreUnusable):
        fail(str(error))
    else:
        fail(f"{type(error).__name__}: {error} (PICLOUD_LOG_LEVEL=debug shows where)")
    return FAILED
