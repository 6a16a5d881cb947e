"""An endpoint outside the admin API as data: it reads its request itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from aiohttp.typedefs import Handler

from picloud.core.errors import PicloudError
from picloud.execution.platform import Platform


@dataclass(frozen=True, slots=True)
class ResponseSpec:
    """One way an endpoint answers.

    Attributes:
        about: what it means.
        media_type: of the body; empty where there is none.
        shape: type of the JSON or text in it.
    """

    about: str
    media_type: str = ""
    shape: type = str


@dataclass(frozen=True, slots=True, kw_only=True)
class StandaloneEndpoint:
    """One method of one path.

    Attributes:
        method: GET or POST.
        path: the whole of it.
        handler: makes what answers.
        tag: the noun it is listed under in the API's reference.
        name: what it is called there, unique for the noun.
        summary: one line for the reference.
        about: more lines, or none.
        query: what each parameter is.
        headers: names of the request's headers it reads.
        answers: by status, without errors.
        errors: what it may raise.
        everywhere: it answers on every host, also where the admin API has one of its own.
        scripted: a script answers, with any status, headers and body; the request's body is the script's.
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
    answers: Mapping[int, ResponseSpec] = field(default_factory=dict)
    errors: tuple[type[PicloudError], ...] = ()
    everywhere: bool = False
    scripted: bool = False
