"""Stored logins of the user: `$XDG_CONFIG_HOME/picloud/credentials.toml`."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from picloud.cli.exits import Failure
from picloud.cli.remote.atomic_file import toml_text, write_whole


@dataclass(frozen=True, slots=True)
class SavedLogin:
    """A key for a server.

    Attributes:
        key: the token.
        key_id: id of the key, to revoke it.
        username: its user.
    """

    key: str = field(repr=False)
    key_id: str
    username: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """The content of the file.

    Attributes:
        default: address of the last login, or None.
        logins: address -> login.
    """

    default: str | None
    logins: dict[str, SavedLogin]

    def with_login(self, url: str, login: SavedLogin) -> Credentials:
        """Add a login, which becomes the default."""
        return Credentials(url, {**self.logins, url: login})

    def without(self, url: str) -> Credentials:
        """Remove the login of a server; the most recent of the others becomes the default."""
        logins = {other: login for other, login in self.logins.items() if other != url}
        default = next(reversed(logins), None) if self.default == url else self.default
        return Credentials(default, logins)


def path() -> Path:
    """Return the path of the file."""
    base = os.environ.get("XDG_CONFIG_HOME") or ""
    folder = Path(base) if Path(base).is_absolute() else Path.home() / ".config"
    return folder / "picloud" / "credentials.toml"


def read() -> Credentials:
    """Read the file; no file means no logins.

    Raises:
        Failure: other users can read it, or it is invalid.
    """
    file = path()
    try:
        with file.open("rb") as stream:
            if os.name == "posix" and (mode := os.fstat(stream.fileno()).st_mode & 0o077):
                raise Failure(
                    f"other users can read the keys in {file} (mode {0o600 | mode:o}); run "
                    f"chmod 600 {file} and, if others use this machine, revoke the keys"
                )
            return _parse(tomllib.loads(stream.read().decode("utf-8-sig")))
    except FileNotFoundError:
        return Credentials(None, {})
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Failure(f"{file} is not valid ({error}); delete it and log in again") from error


def write(credentials: Credentials) -> None:
    """Write the file, readable only by its owner.

    Raises:
        Failure: it cannot be written.
    """
    file = path()
    lines = ["# API keys of picloud login. Anyone who has them can act as you: keep this file private."]
    if credentials.default is not None:
        lines.append(f"default = {toml_text(credentials.default)}")
    for url, login in credentials.logins.items():
        lines += ["", f"[logins.{toml_text(url)}]"]
        lines += [f"{name} = {toml_text(getattr(login, name))}" for name in SavedLogin.__slots__]
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.parent.chmod(0o700)
        write_whole(file, ("\n".join(lines) + "\n").encode(), 0o600)
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}") from error


def _parse(document: dict[str, Any]) -> Credentials:
    logins = {
        url: SavedLogin(**{name: _is_text(entry[name]) for name in SavedLogin.__slots__})
        for url, entry in document.get("logins", {}).items()
    }
    default = document.get("default")
    return Credentials(None if default is None else _is_text(default), logins)


def _is_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value
