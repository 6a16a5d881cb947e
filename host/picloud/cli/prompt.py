"""Prompts at the terminal."""

from __future__ import annotations

import getpass
import sys

from picloud.cli.exits import wrong_use


def at_terminal() -> bool:
    """Report whether a user can be prompted."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> str:
    """Prompt for a line; the question goes to standard error, so that output can be piped.

    Args:
        question: the prompt, with a colon.

    Raises:
        Failure: the input ended.
    """
    print(f"{question} ", end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        print(file=sys.stderr)
        raise wrong_use("the input ended")
    return line.rstrip("\r\n")


def ask_secret(question: str, again: str = "") -> str:
    """Prompt for a password or key without echo; without a terminal, read a line of standard input.

    Args:
        question: the prompt, with a colon.
        again: a second prompt, to confirm a new secret; only at a terminal.

    Raises:
        Failure: the input is empty, or the two entries differ.
    """
    try:
        if not sys.stdin.isatty():
            secret = sys.stdin.readline().rstrip("\r\n")
        else:
            secret = getpass.getpass(f"{question} ")
            if again and getpass.getpass(f"{again} ") != secret:
                raise wrong_use("the two entries do not match")
    except EOFError:
        secret = ""
    if not secret:
        raise wrong_use("no value given; type it at a terminal, or pipe it to standard input")
    return secret


def confirm_by_name(what: str, name: str, yes: bool) -> None:
    """Ask the user to type the name of the object before destroying it.

    Args:
        what: the consequence, for example "deletes the app shop and all its data".
        name: the name to type.
        yes: `--yes` was given: do not prompt.

    Raises:
        Failure: the name was not typed, or there is no terminal.
    """
    if yes:
        return
    if not at_terminal():
        raise wrong_use(f"this {what}; confirm with --yes when no terminal is attached")
    if ask(f"This {what}. Type {name} to continue:") != name:
        raise wrong_use("not confirmed; nothing was changed")
