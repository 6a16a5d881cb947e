"""Reading the configuration: flags over environment over file over defaults."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from picloud.config.client import CLIENT_VARIABLES
from picloud.config.kinds import POSTGRES_URL
from picloud.config.table import CEILING_PREFIX, PREFIX, TABLE, Knob, Settings
from picloud.sandbox.limits import KNOBS

Source = Literal["default", "file", "environment", "flag"]


class ConfigError(Exception):
    """The configuration cannot be used.

    Attributes:
        lines: one plain sentence per mistake.
    """

    def __init__(self, lines: list[str]) -> None:
        """Make the error. Args: lines: one plain sentence per mistake."""
        super().__init__("\n".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Configuration:
    """What `load` found.

    Attributes:
        settings: the values.
        sources: knob name -> where its value comes from.
        warnings: one plain sentence per name that is not known.
    """

    settings: Settings
    sources: Mapping[str, Source]
    warnings: tuple[str, ...] = ()

    def value(self, knob: Knob) -> object:
        """The value of a knob, in the clear."""
        if knob.name.startswith(CEILING_PREFIX):
            return self.settings.ceilings[knob.name.removeprefix(CEILING_PREFIX)]
        return getattr(self.settings, knob.name)

    def shown(self, knob: Knob) -> str:
        """The value of a knob as it may be shown: secrets and passwords in URLs are not."""
        value = self.value(knob)
        if value is None:
            return ""
        if knob.secret:
            return _without_password(str(value)) if knob.kind is POSTGRES_URL else "(set)"
        return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


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
    """Read the configuration.

    Args:
        flags: knob name -> value as given on the command line; None values count as not given.
        file: a `picloud.toml`, or None.
        environment: variables; those of the process when None.

    Raises:
        ConfigError: values that cannot be used, all of them at once.
    """
    environment = os.environ if environment is None else environment
    written, warnings = _read_file(file) if file else ({}, [])
    given = {knob.name: environment.get(knob.env) or None for knob in TABLE}
    warnings += _unknown(
        "environment variable", environment, {knob.env for knob in TABLE} | CLIENT_VARIABLES.keys()
    )

    values: dict[str, object] = {}
    sources: dict[str, Source] = {}
    mistakes: list[str] = []
    for knob in TABLE:
        where: tuple[tuple[Source, str, object], ...] = (
            ("flag", f"--{knob.name.replace('_', '-')}", (flags or {}).get(knob.name)),
            ("environment", knob.env, given[knob.name]),
            ("file", f"{knob.name} in {file}", written.get(knob.name)),
        )
        sources[knob.name] = "default"
        for source, place, value in where:
            if value is None:
                continue
            try:
                values[knob.name] = knob.kind.parse(str(value))
            except ValueError:
                shown = "is not" if knob.secret else f"is {value!r}, not"
                mistakes.append(f"{place} {shown} {knob.kind.says}")
            sources[knob.name] = source
            break
    settings = _settings(values)
    if not mistakes and (settings.bootstrap_username is None) != (settings.bootstrap_password is None):
        mistakes.append(
            "PICLOUD_BOOTSTRAP_USERNAME and PICLOUD_BOOTSTRAP_PASSWORD go together: set both or neither"
        )
    if mistakes:
        raise ConfigError(mistakes)
    return Configuration(settings, MappingProxyType(sources), tuple(warnings))


def _settings(values: Mapping[str, object]) -> Settings:
    plain = {name: value for name, value in values.items() if not name.startswith(CEILING_PREFIX)}
    ceilings = {
        knob.name: values.get(CEILING_PREFIX + knob.name, knob.ceiling) for knob in KNOBS if knob.per_script
    }
    arguments: dict[str, Any] = {**plain, "ceilings": MappingProxyType(ceilings)}
    return Settings(**arguments)


def _read_file(file: Path) -> tuple[dict[str, object], list[str]]:
    """The knobs a TOML file sets; `[sandbox] max_fuel` is `sandbox_max_fuel`."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"{file} cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{file} is not valid TOML: {error}"]) from error
    sandbox = document.pop(CEILING_PREFIX.rstrip("_"), {})
    if isinstance(sandbox, dict):
        document |= {CEILING_PREFIX + name: value for name, value in sandbox.items()}
    return document, _unknown(f"key in {file}:", document, {knob.name for knob in TABLE})


def _unknown(what: str, names: Mapping[str, object], known: set[str]) -> list[str]:
    """One warning per name that looks like ours and is none, with the nearest that is."""
    warnings = []
    for name in sorted(names):
        if name in known or (what.startswith("environment") and not name.startswith(PREFIX)):
            continue
        near = difflib.get_close_matches(name, known, n=1)
        warnings.append(
            f"unknown {what} {name} has no effect" + (f"; did you mean {near[0]}?" if near else "")
        )
    return warnings
