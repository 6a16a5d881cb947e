"""Asking the person at the terminal."""

from __future__ import annotations

import getpass
import sys

from picloud.cli.exits import wrong_use


def at_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> str:
    """Ask for a line; the question goes to standard error, so that output can be piped.

    Args:
        question: with its colon.

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
    """Ask for a password or a key: not shown at a terminal, else the first line of standard input.

    Args:
        question: with its colon.
        again: a second question, for a secret that is new; asked at a terminal only.

    Raises:
        Failure: nothing was given, or the two entries differ.
    """
    try:
        if not sys.stdin.isatty():
            secret = sys.stdin.readline().rstrip("\r\n")
        else:
            secret = getpass.getpass(f"{question} ")
            if again and getpass.getpass(f"{again} ") != secret:
                raise wrong_use("the two entries differ")
    except EOFError:
        secret = ""
    if not secret:
        raise wrong_use("nothing was given; it is asked for at a terminal, else read from standard input")
    return secret


def confirm_by_name(what: str, name: str, yes: bool) -> None:
    """Let something be destroyed only by who names it.

    Args:
        what: is about to happen, for example "deletes the app shop with all it has".
        name: to be typed.
        yes: `--yes` was given: do not ask.

    Raises:
        Failure: it was not named, or nobody can be asked.
    """
    if yes:
        return
    if not at_terminal():
        raise wrong_use(f"this {what}; --yes confirms it where nobody can be asked")
    if ask(f"This {what}. Type {name} to go on:") != name:
        raise wrong_use("not confirmed; nothing was done")
