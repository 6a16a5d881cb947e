"""`picloud serve`: runs the server until it is stopped."""

from __future__ import annotations

import argparse

from picloud.cli import configuration
from picloud.cli.commands import Commands
from picloud.cli.exits import Failure
from picloud.core import logs
from picloud.core.aiohttp_private import check_aiohttp
from picloud.server.sockets import CannotListen


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("serve", help="start the server")
    configuration.add_options(parser, *configuration.FLAGS)
    parser.set_defaults(main=main)


def main(arguments: argparse.Namespace) -> int:
    """Serve until a signal."""
    settings = configuration.read(arguments).settings
    logs.configure(settings.log_format, settings.log_level)
    try:
        check_aiohttp()
        # Importing the HTTP layer fails where aiohttp lacks one of the names.
        from picloud.server.serve import serve

        return serve(settings)
    except CannotListen as error:
        raise Failure(str(error)) from error
