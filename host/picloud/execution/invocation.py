"""What is to be executed, for whom, with what input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from picloud.control.scripts.modules import Module
from picloud.core.msgpack import encode
from picloud.identity.principal import Principal
from picloud.sandbox.limits import FIXED, Limits

BODY_COMES_ALONG = 48 * 1024
"""Bytes up to which a body is part of the guest's input; of a longer one it is told the length, and asks."""


@dataclass(frozen=True, slots=True)
class ScriptVersion:
    """One saved version of a script, ready to execute.

    Attributes:
        script_id: the script.
        app_id: the app it belongs to.
        version: grows by one with every save.
        name: unique in its app.
        kind: "endpoint" or "module".
        source: Rhai, UTF-8.
        limits: its limits, overrides applied.
        modules: those that it imports literally, in the order of their ids.
        refusal: why it cannot be executed, for its author, or None.
    """

    script_id: UUID
    app_id: UUID
    version: int
    name: str
    kind: str
    source: bytes
    limits: Limits
    modules: tuple[Module, ...] = ()
    refusal: str | None = None

    @property
    def image_key(self) -> tuple[object, ...]:
        """Names what was compiled: the version of the script, and that of each of its modules."""
        return (
            self.script_id,
            self.version,
            tuple((module.id, module.version) for module in self.modules),
        )


@dataclass(frozen=True, slots=True)
class ScriptRequest:
    """The request as the script sees it in `ctx.request`.

    Attributes:
        method: upper case.
        path: decoded path.
        headers: lower-case names; repeated headers joined by ", ".
        query: decoded query, the last of repeated names.
        params: what the route's pattern bound.
        rest: what a prefix route left over.
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
class Invocation:
    """One execution to be.

    Attributes:
        execution_id: UUIDv7.
        script: what to run.
        ingress: the door it came through: "route", "execute" or "cli".
        request_id: of the HTTP request.
        request: the script's input.
        principal: who calls, or None for nobody.
    """

    execution_id: UUID
    script: ScriptVersion
    ingress: str
    request_id: str
    request: ScriptRequest
    principal: Principal | None = None

    def pack(self, sdk_version: str) -> bytes:
        """The guest's `run` input.

        Args:
            sdk_version: for `ctx.sdk_version`.

        Returns:
            MessagePack, as the guest ABI says.
        """
        script, request = self.script, self.request
        long = len(request.body) > BODY_COMES_ALONG
        return encode(
            {
                "ctx": {
                    "sdk_version": sdk_version,
                    "execution_id": str(self.execution_id),
                    "request_id": self.request_id,
                    "script_id": str(script.script_id),
                    "script_name": script.name,
                    "invocation_type": "function" if self.ingress == "cli" else "http",
                    "request": {
                        "method": request.method,
                        "path": request.path,
                        "headers": request.headers,
                        "query": request.query,
                        "params": request.params,
                        "rest": request.rest,
                    },
                },
                **({"body_length": len(request.body)} if long else {"body": request.body or None}),
                "content_type": request.content_type,
                "max_response_bytes": FIXED["max_response_body"],
            }
        )
