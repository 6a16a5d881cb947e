"""Causes of executions: an HTTP request, an event, or a call by another script.

Every cause has the same attributes, so that no later code depends on its kind:
    ingress: kind of the cause, for the record.
    permit: class of the permit; None if the caller already has one.
    request_id: of the HTTP request, or None.
    invocation_type: for `ctx.invocation_type`.
    request: for `ctx.request`.
    more: further keys of `ctx`.
    input: the bytes that host functions read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, TypeAlias
from uuid import UUID

from picloud.execution.admission import PermitClass
from picloud.services.call_context import NO_INPUT, Input

_NONE: dict[str, Any] = {}  # read-only; MessagePack accepts no other mapping


@dataclass(frozen=True, slots=True)
class ScriptRequest:
    """The request in `ctx.request`.

    Attributes:
        method: upper case.
        path: decoded path.
        headers: lower-case names; repeated headers joined by ", ".
        query: decoded query; the last value of a repeated name.
        params: parameters of the route.
        rest: the path after the prefix of a prefix route.
        body: the raw body; the guest parses it by `content_type`.
        content_type: the header's value, or None.
    """

    method: str = "POST"
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    rest: str = ""
    body: bytes = b""
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class HttpCause:
    """A request, over HTTP or from `picloud run`.

    Attributes:
        ingress: "route", "execute" or "cli".
        request_id: of the HTTP request.
        request: the script's input.
        permit: "http" if a client waits for the response, else "event".
    """

    ingress: Literal["route", "execute", "cli"]
    request_id: str
    request: ScriptRequest
    permit: PermitClass = "http"

    more: ClassVar[Mapping[str, object]] = _NONE

    @property
    def invocation_type(self) -> str:
        """For `ctx.invocation_type`; a script on the command line is a function."""
        return "function" if self.ingress == "cli" else "http"

    @property
    def input(self) -> Input:
        """The body of the request."""
        request = self.request
        if not request.body and request.content_type is None:
            return NO_INPUT
        return Input(request.body, request.content_type)


@dataclass(frozen=True, slots=True)
class EventCause:
    """An event that matched a trigger. `ctx.event` has `detail` under the name of the source.

    Attributes:
        id: the event; the same in every attempt.
        source: kind of the trigger, such as "kv" or "cron".
        op: what happened, such as "insert".
        attempt: 1 for the first.
        occurred_at: when it happened.
        detail: fields of the source, as values of a script (None, bool, int, float, str, bytes, list, map).
        trigger_id: the trigger that matched, or None.
    """

    id: UUID
    source: str
    op: str
    attempt: int
    occurred_at: datetime
    detail: Mapping[str, object]
    trigger_id: UUID | None = None

    ingress: ClassVar[str] = "event"
    permit: ClassVar[PermitClass] = "event"
    request_id: ClassVar[None] = None
    invocation_type: ClassVar[str] = "event"
    input: ClassVar[Input] = NO_INPUT

    @property
    def request(self) -> ScriptRequest:
        """An empty request with only a path."""
        return ScriptRequest(
            method="", path=f"/trigger/{self.source}", headers=_NONE, query=_NONE, params=_NONE
        )

    @property
    def more(self) -> Mapping[str, object]:
        """`ctx.event`."""
        event: dict[str, object] = {
            "source": self.source,
            "op": self.op,
            "id": str(self.id),
            "attempt": self.attempt,
            "occurred_at": rfc3339(self.occurred_at),
        }
        event[self.source] = dict(self.detail)
        return {"event": event}


@dataclass(frozen=True, slots=True)
class CallCause:
    """A call by another script of the app, which waits for the result and has the permit for both.

    Attributes:
        args: the arguments, as a value of a script.
    """

    args: object

    ingress: ClassVar[str] = "call"
    permit: ClassVar[None] = None
    request_id: ClassVar[None] = None
    invocation_type: ClassVar[str] = "function"
    request: ClassVar[ScriptRequest] = ScriptRequest("", "", _NONE, _NONE, _NONE)
    input: ClassVar[Input] = NO_INPUT

    @property
    def more(self) -> Mapping[str, object]:
        """`ctx.args`."""
        return {"args": self.args}


Cause: TypeAlias = HttpCause | EventCause | CallCause


def rfc3339(at: datetime) -> str:
    """Format a time for scripts, in UTC with milliseconds: `2026-01-31T08:00:00.005Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
