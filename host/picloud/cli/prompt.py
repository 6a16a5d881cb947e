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
        raise wrong_use("no value given; type it at a terminal, or pipe it to standard input")
    return secret


def confirm_by_name(what: str, name: str, yes: bool) -> None:
    """Ask the user to type the name of the object before destroying it.

    Args:
        what: is about to happen, for example "deletes the app shop with all it has".
        name: to be typed.
        yes: `--yes` was given: do not ask.

    Raises:
        Failure: the name was not typed, or there is no terminal.
    """
    if yes:
        return
    if not at_terminal():
        raise wrong_use(f"this {what}; confirm with --yes when no terminal is attached")
    if ask(f"This {what}. Type {name} to go on:") != name:
        raise wrong_use("not confirmed; nothing was done")
