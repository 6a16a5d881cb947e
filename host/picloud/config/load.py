"""Reads the settings: flags over environment over file over defaults.

pydantic checks the values. The sources are read here, because `picloud config` and every message name the
source of a value, which pydantic-settings does not report.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import ValidationError

from picloud.config.client import CLIENT_VARIABLES
from picloud.config.kinds import POSTGRES_URL
from picloud.config.table import CEILING_PREFIX, PREFIX, TABLE, Setting, Settings, format_value

Source = Literal["default", "file", "environment", "flag"]

FILE_NAME = "server.toml"
OLD_FILE_NAME = "picloud.toml"


class ConfigError(Exception):
    """The configuration cannot be used.

    Attributes:
        lines: one sentence per mistake.
    """

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Configuration:
    """What `load` found.

    Attributes:
        settings: the values.
        sources: name of the setting -> where its value comes from.
        warnings: one sentence per unknown name.
    """

    settings: Settings
    sources: Mapping[str, Source]
    warnings: tuple[str, ...] = ()

    def value(self, setting: Setting) -> object:
        """Return the value of a setting, also of a secret."""
        return getattr(self.settings, setting.name)

    def shown(self, setting: Setting) -> str:
        """Return the value of a setting as text, without secrets and passwords in URLs."""
        value = self.value(setting)
        if setting.secret and value is not None:
            return _without_password(str(value)) if setting.kind is POSTGRES_URL else "(set)"
        return format_value(value)


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(
        parts._replace(netloc=f"...@{host}" if "@" in parts.netloc else host, query="", fragment="")
    )


def load(
    flags: Mapping[str, object] | None = None,
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Configuration:
    """Read the settings.

    Args:
        flags: name of a setting -> value as given on the command line; None values count as not given.
        file: a `server.toml`, or None.
        environment: variables; those of the process when None. An empty variable counts as not set.

    Raises:
        ConfigError: values are invalid; lists all of them.
    """
    environment = os.environ if environment is None else environment
    content, warnings = _read_file(file) if file else ({}, [])
    variables = {setting.env for setting in TABLE} | CLIENT_VARIABLES.keys()
    warnings += _unknown("environment variable", environment, variables)

    values: dict[str, str] = {}
    sources: dict[str, Source] = {}
    messages: dict[str, str] = {}
    for setting in TABLE:
        name = setting.name
        where: tuple[tuple[Source, str, object], ...] = (
            ("flag", f"--{name.replace('_', '-')}", (flags or {}).get(name)),
            ("environment", setting.env, environment.get(setting.env) or None),
            ("file", f"{name} in {file}", content.get(name)),
        )
        given = (entry for entry in where if entry[2] is not None)
        sources[name], place, value = next(given, ("default", "", None))
        if value is not None:
            values[name] = str(value)
            found = "is not" if setting.secret else f"is {value!r}, not"
            messages[name] = f"{place} {found} {setting.kind.accepts}"
    try:
        settings = Settings.model_validate(values)
    except ValidationError as invalid:
        raise ConfigError(
            [
                messages[str(error["loc"][0])] if error["loc"] else str(error["ctx"]["error"])
                for error in invalid.errors()
            ]
        ) from None
    return Configuration(settings, MappingProxyType(sources), tuple(warnings))


def _read_file(file: Path) -> tuple[dict[str, object], list[str]]:
    """Read the settings in a TOML file; `[sandbox] max_fuel` is `sandbox_max_fuel`."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError([f"{file} cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{file} is not valid TOML: {error}"]) from error
    sandbox = document.pop(CEILING_PREFIX.rstrip("_"), {})
    if isinstance(sandbox, dict):
        document |= {CEILING_PREFIX + name: value for name, value in sandbox.items()}
    warnings = _unknown(f"key in {file}:", document, {setting.name for setting in TABLE})
    if file.name == OLD_FILE_NAME:
        warnings.append(
            f"rename {file} to {FILE_NAME}: {OLD_FILE_NAME} is the project file of an app, and as the "
            "configuration of a server it is deprecated"
        )
    return document, warnings


def _unknown(what: str, names: Mapping[str, object], known: set[str]) -> list[str]:
    """Return a warning per unknown name, with the most similar known name."""
    warnings = []
    for name in sorted(names):
        if name in known or (what.startswith("environment") and not name.startswith(PREFIX)):
            continue
        near = difflib.get_close_matches(name, known, n=1)
        warnings.append(
            f"unknown {what} {name} has no effect" + (f"; did you mean {near[0]}?" if near else "")
        )
    return warnings
