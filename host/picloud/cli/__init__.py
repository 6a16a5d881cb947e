"""The command `picloud`.

Exit codes: 0 done; 1 it could not be done, or the script failed; 2 the command line or the
configuration is wrong; 3 the script does not parse; 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from picloud import __version__
from picloud.cli import admin, bench, configuration, run, serve
from picloud.cli.terminal import fail
from picloud.config import ConfigError
from picloud.db.unusable import DatabaseUnusable
from picloud.errors import PicloudError

DONE, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130


def parser() -> argparse.ArgumentParser:
    """The command line, all of it."""
    top = argparse.ArgumentParser(
        prog="picloud",
        description="A self-hosted function platform: scripts run in fresh, metered WebAssembly instances.",
        epilog="Every knob can also be set by environment variable or file: picloud config",
    )
    top.add_argument("--version", action="version", version=f"picloud {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in (serve, run, bench, admin, configuration):
        command.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: arguments without the program's name; those of the process when None.

    Returns:
        The exit code.
    """
    arguments = parser().parse_args(argv)
    try:
        code: int = arguments.main(arguments)
    except ConfigError as error:
        for line in error.lines:
            fail(line)
        return WRONG_USE
    except (DatabaseUnusable, serve.CannotListen) as error:
        fail(str(error))
        return FAILED
    except PicloudError as error:
        fail(error.message)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone (`picloud config | head`); Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if os.environ.get("PICLOUD_LOG_LEVEL") == "debug":
            raise
        fail(f"{type(error).__name__}: {error} (PICLOUD_LOG_LEVEL=debug shows where)")
        return FAILED
    return code
