"""The parts of an app that a folder holds, on either side: here, or on a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from picloud.routing.conflict import RoutePattern, conflict
from picloud.routing.hosts import parse_host
from picloud.routing.pattern import parse_path


@dataclass(frozen=True, slots=True)
class ProjectScript:
    """A script. In a folder, fields that are None are left on the server as they are.

    Attributes:
        name: in the app.
        source: Rhai.
        kind: "endpoint" or "module".
        description: what it does.
        execute_access: "open" or "members".
        sandbox: all its limit overrides by name.
    """

    name: str
    source: str
    kind: str | None = None
    description: str | None = None
    execute_access: str | None = None
    sandbox: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class ProjectRoute:
    """A route, its patterns in canonical text (see picloud.routing).

    Attributes:
        script: name of the script that answers.
        method: upper-case method, or None for any.
        host: "any", a host, or a wildcard.
        path: the path's pattern.
        dispatch_mode: "sync" or "async".
    """

    script: str
    method: str | None
    path: str
    host: str = "any"
    dispatch_mode: str = "sync"

    @property
    def place(self) -> tuple[str | None, str, str]:
        """Identifies the route."""
        return self.method, self.host, self.path

    @property
    def pattern(self) -> RoutePattern:
        """The requests it answers."""
        return _pattern(self.method, self.host, self.path)

    def __str__(self) -> str:
        """For people."""
        host = "" if self.host == "any" else f" on {self.host}"
        return f"{self.method or 'ANY'} {self.path}{host}"

    def conflicts(self, other: ProjectRoute) -> bool:
        """Whether the app cannot have both."""
        return conflict(self.pattern, other.pattern)

    def replaces(self, other: ProjectRoute) -> bool:
        """Whether both answer exactly the same requests: only names of parameters differ."""
        ours, theirs = self.pattern, other.pattern
        same = (ours.method, ours.stem, ours.tail, ours.shape) == (
            theirs.method,
            theirs.stem,
            theirs.tail,
            theirs.shape,
        )
        return same and self.place != other.place


@lru_cache(maxsize=65536)
def _pattern(method: str | None, host: str, path: str) -> RoutePattern:
    return RoutePattern(method, parse_host(host), parse_path(path))


@dataclass(frozen=True, slots=True)
class Project:
    """What a folder says an app is.

    Attributes:
        slug: of the app.
        name: for people; None leaves it as it is.
        description: what it is for; None leaves it as it is.
        domains: hosts it claims, normalised; None leaves them as they are.
        scripts: by name.
        files: script name -> its file, relative to the folder, with slashes.
        routes: all its routes; None leaves them as they are.
        variables: name -> value; None leaves them as they are.
    """

    slug: str
    name: str | None = None
    description: str | None = None
    domains: tuple[str, ...] | None = None
    scripts: Mapping[str, ProjectScript] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    routes: tuple[ProjectRoute, ...] | None = None
    variables: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class RemoteRef:
    """A thing a server has.

    Attributes:
        id: its id.
        version: of a script; 0 for other things.
    """

    id: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class Remote:
    """What a server has of an app; every field of a script is known.

    Attributes:
        id: of the app, or None if it does not exist.
        slug: of the app, as it is now.
        name: for people.
        description: what it is for.
        domains: normalised host -> its id.
        scripts: by name.
        held: script name -> its id and version.
        routes: route -> its id.
        variables: name -> value.
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
