"""An execution to be: the script, what starts it, for whom, and its place in a chain."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from picloud.control.record_bodies import DEFAULT, RecordBodies
from picloud.control.scripts.modules import Module
from picloud.core.msgpack import encode
from picloud.execution.cause import Cause
from picloud.identity.principal import Principal
from picloud.sandbox.limits import FIXED, Limits

MAX_INLINE_BODY = 48 * 1024
"""Maximum bytes of a body in the input of the guest; it reads a longer body by a host call."""


@dataclass(frozen=True, slots=True)
class ScriptVersion:
    """A version of a script, ready to execute.

    Attributes:
        app_id: its app.
        version: increases by one with every save.
        name: unique in its app.
        kind: "endpoint" or "module".
        source: Rhai, UTF-8.
        limits: its limits, overrides applied.
        modules: its literal imports, ordered by id.
        problem: why it cannot be executed, for its author, or None.
        record_bodies: which bodies of its executions are recorded.
        public_errors: whether anonymous callers get its error messages.
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
    record_bodies: RecordBodies = DEFAULT
    public_errors: bool = False

    @property
    def image_key(self) -> tuple[object, ...]:
        """The key of the compiled image: the versions of the script and its modules."""
        return (
            self.script_id,
            self.version,
            tuple((module.id, module.version) for module in self.modules),
        )


@dataclass(frozen=True, slots=True)
class Invocation:
    """A request to execute a script.

    Attributes:
        execution_id: UUIDv7.
        script: what to run.
        cause: what starts it, with the input of the script.
        principal: the caller, or None for an anonymous caller.
        root: the first execution of the chain, or None if this is the first.
        parent: the execution that caused this one, or None.
        depth: number of events and calls before this execution in the chain; 0 for a request.
        deadline: latest end, even if its own limit allows more, in seconds of `time.monotonic`.
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
        """The first execution of the chain; this one if no other caused it."""
        return self.root or self.execution_id

    def pack(self, sdk_version: str) -> bytes:
        """Encode the input of the `run` function of the guest.

        Args:
            sdk_version: for `ctx.sdk_version`.

        Returns:
            MessagePack of the guest ABI.
        """
        script, cause = self.script, self.cause
        request = cause.request
        long = len(request.body) > MAX_INLINE_BODY
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
