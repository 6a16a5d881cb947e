"""`picloud completion`: prints shell completions."""

from __future__ import annotations

import argparse

from picloud.cli.commands import Commands

SHELLS = {
    "bash": "source <(picloud completion bash)   # in ~/.bashrc",
    "zsh": 'picloud completion zsh > "${fpath[1]}/_picloud"',
    "fish": "picloud completion fish > ~/.config/fish/completions/picloud.fish",
}


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "completion",
        help="print completions for bash, zsh or fish",
        description="Print completions for a shell. To install them:",
        epilog="\n".join(f"{shell}:  {line}" for shell, line in SHELLS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=tuple(SHELLS))
    parser.set_defaults(main=main)


def main(arguments: argparse.Namespace) -> int:
    """Print the completions."""
    import shtab  # only this command needs it

    from picloud.cli import parser

    print(shtab.complete(parser(), arguments.shell))
    return 0
