"""Declares an endpoint outside the admin API; its handler parses the request itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from aiohttp.typedefs import Handler

from picloud.core.errors import PicloudError
from picloud.execution.platform import Platform


@dataclass(frozen=True, slots=True)
class ResponseSpec:
    """A response of an endpoint.

    Attributes:
        about: the description.
        media_type: of the body; empty for no body.
        shape: the type of the body.
    """

    about: str
    media_type: str = ""
    shape: type = str


@dataclass(frozen=True, slots=True, kw_only=True)
class StandaloneEndpoint:
    """A method of a path.

    Attributes:
        method: GET or POST.
        path: the full path.
        handler: creates the handler.
        tag: its group in the API reference.
        name: its name there, unique in the group.
        summary: one line for the reference.
        about: the description; may be empty.
        query: descriptions of the query parameters, by name.
        headers: names of the request headers it reads.
        responses: by status, without errors.
        errors: the errors it can raise.
        all_hosts: it is served on all hosts, even if the admin API has its own host.
        scripted: a script reads the request body and returns any status, headers and body.
    """

    method: Literal["GET", "POST"]
    path: str
    handler: Callable[[Platform], Handler]
    tag: str
    name: str
    summary: str
    about: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    responses: Mapping[int, ResponseSpec] = field(default_factory=dict)
    errors: tuple[type[PicloudError], ...] = ()
    all_hosts: bool = False
    scripted: bool = False
