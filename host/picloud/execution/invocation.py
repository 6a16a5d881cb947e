"""An execution to be: the script, what starts it, for whom, and its place in a chain."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from picloud.control.scripts.modules import Module
from picloud.core.msgpack import encode
from picloud.execution.cause import Cause
from picloud.identity.principal import Principal
from picloud.sandbox.limits import FIXED, Limits

BODY_COMES_ALONG = 48 * 1024
"""Bytes up to which a body is part of the guest's input; of a longer one it is told the length, and asks."""


@dataclass(frozen=True, slots=True)
class ScriptVersion:
    """One saved version of a script, ready to execute.

    Attributes:
        app_id: the app it belongs to.
        version: grows by one with every save.
        name: unique in its app.
        kind: "endpoint" or "module".
        source: Rhai, UTF-8.
        limits: its limits, overrides applied.
        modules: those that it imports literally, in the order of their ids.
        problem: why it cannot be executed, for its author, or None.
    """

    script_id: UUID
    app_id: UUID
    version: int
    name: str
    kind: str
    source: bytes
    limits: Limits
    modules: tuple[Module, ...] = ()
    problem: str | None = None

    @property
    def image_key(self) -> tuple[object, ...]:
        """Names what was compiled: the version of the script, and that of each of its modules."""
        return (
            self.script_id,
            self.version,
            tuple((module.id, module.version) for module in self.modules),
        )


@dataclass(frozen=True, slots=True)
class Invocation:
    """One execution to be.

    Attributes:
        execution_id: UUIDv7.
        script: what to run.
        cause: what starts it, with the script's input.
        principal: who the script acts for, or None for an anonymous caller.
        root: the first execution of the chain, or None where this is the first.
        parent: the execution that caused this one, or None.
        depth: how many events and calls are between the outside and this execution; 0 for a request.
        deadline: when it has to end even if its own limit allows more, in seconds of `time.monotonic`.
    """

    execution_id: UUID
    script: ScriptVersion
    cause: Cause
    principal: Principal | None = None
    root: UUID | None = None
    parent: UUID | None = None
    depth: int = 0
    deadline: float | None = None

    @property
    def root_execution_id(self) -> UUID:
        """The first execution of the chain: this one where no other caused it."""
        return self.root or self.execution_id

    def pack(self, sdk_version: str) -> bytes:
        """The guest's `run` input.

        Args:
            sdk_version: for `ctx.sdk_version`.

        Returns:
            MessagePack, as the guest ABI says.
        """
        script, cause = self.script, self.cause
        request = cause.request
        long = len(request.body) > BODY_COMES_ALONG
        return encode(
            {
                "ctx": {
                    "sdk_version": sdk_version,
                    "execution_id": str(self.execution_id),
                    "request_id": cause.request_id or "",
                    "script_id": str(script.script_id),
                    "script_name": script.name,
                    "invocation_type": cause.invocation_type,
                    "request": {
                        "method": request.method,
                        "path": request.path,
                        "headers": request.headers,
                        "query": request.query,
                        "params": request.params,
                        "rest": request.rest,
                    },
                    **cause.more,
                },
                **({"body_length": len(request.body)} if long else {"body": request.body or None}),
                "content_type": request.content_type,
                "max_response_bytes": FIXED["max_response_body"],
            }
        )
