"""The parts of an app in a folder, and their state on a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from picloud.routing.conflict import RoutePattern, conflict
from picloud.routing.hosts import parse_host
from picloud.routing.pattern import parse_path

SETTINGS: Mapping[str, object] = {"record_bodies": "errors", "public_errors": False}
"""The settings of an app that a folder can have, with their defaults."""


@dataclass(frozen=True, slots=True)
class ProjectScript:
    """A script. In a folder, None fields are not changed on the server.

    Attributes:
        name: its name in the app.
        source: the Rhai source.
        kind: "endpoint" or "module".
        description: its description.
        execute_access: "open", "members" or "routed".
        sandbox: all its limit overrides by name.
        record_bodies: "none", "errors" or "all"; "app" for the setting of the app.
    """

    name: str
    source: str
    kind: str | None = None
    description: str | None = None
    execute_access: str | None = None
    sandbox: Mapping[str, int] | None = None
    record_bodies: str | None = None


@dataclass(frozen=True, slots=True)
class ProjectRoute:
    """A route with canonical patterns (see picloud.routing).

    Attributes:
        script: name of the script.
        method: uppercase method, or None for all methods.
        host: "any", a host, or a wildcard.
        path: the path pattern.
        dispatch_mode: "sync" or "async".
    """

    script: str
    method: str | None
    path: str
    host: str = "any"
    dispatch_mode: str = "sync"

    @property
    def match_key(self) -> tuple[str | None, str, str]:
        """Identifies the route."""
        return self.method, self.host, self.path

    @property
    def pattern(self) -> RoutePattern:
        """The requests it matches."""
        return _pattern(self.method, self.host, self.path)

    def __str__(self) -> str:
        """Format the route."""
        host = "" if self.host == "any" else f" on {self.host}"
        return f"{self.method or 'ANY'} {self.path}{host}"

    def conflicts(self, other: ProjectRoute) -> bool:
        """Report whether the app cannot have both routes."""
        return conflict(self.pattern, other.pattern)

    def replaces(self, other: ProjectRoute) -> bool:
        """Report whether both match the same requests: only names of parameters differ."""
        ours, theirs = self.pattern, other.pattern
        same = (ours.method, ours.stem, ours.tail, ours.shape) == (
            theirs.method,
            theirs.stem,
            theirs.tail,
            theirs.shape,
        )
        return same and self.match_key != other.match_key


@lru_cache(maxsize=65536)
def _pattern(method: str | None, host: str, path: str) -> RoutePattern:
    return RoutePattern(method, parse_host(host), parse_path(path))


@dataclass(frozen=True, slots=True)
class Project:
    """An app as described by a folder. None fields are not changed on the server.

    Attributes:
        slug: slug of the app.
        name: display name.
        description: its description.
        domains: the claimed hosts, normalized.
        scripts: by name.
        files: script name -> its file, relative to the folder, with slashes.
        routes: all routes.
        variables: name -> value; None leaves them as they are.
        settings: the settings of the app that the folder has, by name; see `SETTINGS`.
    """

    slug: str
    name: str | None = None
    description: str | None = None
    domains: tuple[str, ...] | None = None
    scripts: Mapping[str, ProjectScript] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    routes: tuple[ProjectRoute, ...] | None = None
    variables: Mapping[str, str] | None = None
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RemoteRef:
    """An object on a server.

    Attributes:
        id: its id.
        version: of a script; 0 for other objects.
    """

    id: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class Remote:
    """An app on a server; all fields of scripts are set.

    Attributes:
        id: id of the app, or None if it does not exist.
        slug: its current slug.
        name: display name.
        description: its description.
        domains: normalized host -> its id.
        scripts: by name.
        held: script name -> its id and version.
        routes: route -> its id.
        variables: name -> value.
        settings: the settings of the app by name.
    """

    id: str | None = None
    slug: str = ""
    name: str = ""
    description: str = ""
    domains: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, ProjectScript] = field(default_factory=dict)
    held: Mapping[str, RemoteRef] = field(default_factory=dict)
    routes: Mapping[ProjectRoute, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
