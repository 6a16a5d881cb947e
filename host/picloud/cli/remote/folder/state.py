"""The common state of a folder and a server after the last sync: `.picloud/state.json`.

`push` uses it to detect changes on the server, and `pull` to detect changes in the folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from picloud.cli.exits import Failure, wrong_use
from picloud.cli.remote.atomic_file import write_whole

FOLDER = ".picloud"


@dataclass(frozen=True, slots=True)
class Base:
    """A script after the last sync.

    Attributes:
        version: its version on the server.
        sha256: SHA-256 of the source, in hexadecimal.
        file: its file, relative to the folder.
    """

    version: int
    sha256: str
    file: str


@dataclass(frozen=True, slots=True)
class State:
    """The common state with an app on a server.

    Attributes:
        has_synced: whether there was a sync.
        scripts: by name.
    """

    has_synced: bool = False
    scripts: Mapping[str, Base] = field(default_factory=dict)


def digest(source: str) -> str:
    """Return the SHA-256 of a source, in hexadecimal; bytes that are not UTF-8 are surrogate escapes."""
    return hashlib.sha256(source.encode(errors="surrogateescape")).hexdigest()


def read(folder: Path, url: str, app_id: str | None) -> State:
    """Read the common state with an app.

    Args:
        folder: with the project.
        url: of the server.
        app_id: of the app, or None if it does not exist yet.

    Raises:
        Failure: the file is broken, or its folder is a link.
    """
    known = _all(folder).get(url, {}).get(app_id or "")
    if known is None:
        return State()
    try:
        return State(True, {name: Base(**entry) for name, entry in known.items()})
    except (TypeError, AttributeError) as error:
        raise _broken(folder) from error


def write(folder: Path, url: str, app_id: str, scripts: Mapping[str, Base]) -> None:
    """Write the state; the state of other servers stays.

    Args:
        folder: with the project.
        url: of the server.
        app_id: of the app.
        scripts: by name.

    Raises:
        Failure: it cannot be written, or its folder is a link.
    """
    entries = {
        name: {"version": base.version, "sha256": base.sha256, "file": base.file}
        for name, base in sorted(scripts.items())
    }
    document = _all(folder)
    document.setdefault(url, {})[app_id] = entries
    try:
        (folder / FOLDER).mkdir(exist_ok=True)
        write_whole(folder / FOLDER / ".gitignore", b"*\n")
        write_whole(_file(folder), (json.dumps(document, indent=2) + "\n").encode())
    except OSError as error:
        raise Failure(f"{_file(folder)} cannot be written: {error.strerror}") from error


def _file(folder: Path) -> Path:
    if (folder / FOLDER).is_symlink():  # it would be written to wherever that leads
        raise wrong_use(f"{folder / FOLDER} is a symbolic link; remove it")
    return folder / FOLDER / "state.json"


def _all(folder: Path) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    try:
        document = json.loads(_file(folder).read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _broken(folder) from error
    if not isinstance(document, dict) or not all(isinstance(apps, dict) for apps in document.values()):
        raise _broken(folder)
    return document


def _broken(folder: Path) -> Failure:
    return Failure(f"{_file(folder)} is not valid; delete it, and the next pull or push creates it")
