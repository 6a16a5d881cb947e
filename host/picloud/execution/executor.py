"""The executor: one way for every execution, whatever started it."""

from __future__ import annotations

import time

from picloud.execution.admission import Admission
from picloud.execution.delivery import ResponseDelivery
from picloud.execution.invocation import Invocation
from picloud.execution.record import Recorder
from picloud.sandbox.limits import Limits
from picloud.sandbox.outcome import Outcome, ScriptError
from picloud.sandbox.sandbox import Program, Sandbox
from picloud.services.call_context import Call


class Executor:
    """Permit, run, record."""

    def __init__(self, admission: Admission, sandbox: Sandbox, recorder: Recorder | None) -> None:
        """Make an executor.

        Args:
            admission: bounds how many run at once.
            sandbox: runs them.
            recorder: keeps their records; None keeps none (`picloud run`).
        """
        self.admission, self.sandbox, self.recorder = admission, sandbox, recorder

    async def execute(self, invocation: Invocation, delivery: ResponseDelivery | None = None) -> Outcome:
        """Execute a script.

        Args:
            invocation: what to run, for whom, and what started it.
            delivery: the way of the answer; an answer that is a file is on record when it ends. None puts
                it on record at once.

        Returns:
            What came of it.

        Raises:
            Overloaded: no permit is free; nothing ran.
            asyncio.CancelledError: the caller is gone; the execution was stopped and is on record.
        """
        script, cause = invocation.script, invocation.cause
        if cause.permit is not None:
            self.admission.acquire(script.app_id, cause.permit)
        started_at, outcome = time.time(), Outcome()
        deadline = time.monotonic() + script.limits.timeout_seconds
        if invocation.deadline is not None:
            deadline = min(deadline, invocation.deadline)
        call = Call(
            script.app_id,
            script.script_id,
            invocation.execution_id,
            invocation.principal,
            invocation.root,
            invocation.parent,
            invocation.depth,
            deadline,
            cause.input,
        )
        try:
            if script.refusal is not None:
                outcome.code, outcome.error = "script_invalid", ScriptError(script.refusal)
                return outcome
            await self.sandbox.execute(
                script.image_key,
                Program(
                    script.source, script.kind, {module.name: module.source for module in script.modules}
                ),
                invocation.pack(self.sandbox.engine.info.sdk),
                script.limits,
                deadline,
                call,
                outcome,
            )
        finally:
            if cause.permit is not None:
                self.admission.release(script.app_id, cause.permit)
            if self.recorder is not None:
                record = self.recorder.prepare(invocation, outcome, started_at, call.decisions)
                if delivery is None or outcome.response is None or outcome.response.file is None:
                    record(None)
                else:
                    delivery.record_at_end(record)
        return outcome

    async def validate(self, source: bytes, kind: str, limits: Limits) -> list[str]:
        """See whether a script is valid.

        Args:
            source: Rhai, UTF-8.
            kind: "endpoint" or "module".
            limits: its limits.

        Returns:
            Names of the modules it imports literally.

        Raises:
            ScriptInvalid: it is not; line, column and message are in its details.
        """
        return list(await self.sandbox.check(Program(source, kind, {}), limits))
