"""The executor: runs every execution, whatever its cause."""

from __future__ import annotations

import time
from uuid import UUID

from picloud.core.metrics import Family, Metrics
from picloud.execution.admission import Admission
from picloud.execution.delivery import ResponseDelivery
from picloud.execution.invocation import Invocation
from picloud.execution.record import Recorder
from picloud.sandbox.limits import Limits
from picloud.sandbox.outcome import IMAGES, OUTCOMES, Outcome, ScriptError
from picloud.sandbox.sandbox import Program, Sandbox
from picloud.services.call_context import Call

EXECUTIONS = Family(
    "picloud_executions_total",
    "Executions by outcome, and by whether the script was compiled first.",
    labels={"outcome": OUTCOMES, "image": IMAGES},
)
FUEL = Family("picloud_execution_fuel_total", "Fuel that executions used.")
SECONDS = Family("picloud_execution_seconds_total", "Time of executions, from admission to the result.")
HOST_CALL_SECONDS = Family("picloud_execution_host_call_seconds_total", "Time of executions in host calls.")
METRICS = (EXECUTIONS, FUEL, SECONDS, HOST_CALL_SECONDS)


class Executor:
    """Admits, runs and records executions."""

    def __init__(
        self,
        admission: Admission,
        sandbox: Sandbox,
        recorder: Recorder | None,
        metrics: Metrics | None = None,
    ) -> None:
        """Create an executor.

        Args:
            admission: limits concurrent executions.
            sandbox: runs scripts.
            recorder: writes records; None for none (`picloud run`).
            metrics: metrics of the worker; None for its own.
        """
        self.admission, self.sandbox, self.recorder = admission, sandbox, recorder
        metrics = metrics or Metrics(METRICS)
        self._executions = {values: metrics.series(EXECUTIONS, *values) for values in EXECUTIONS.series}
        self._fuel, self._seconds = metrics.series(FUEL), metrics.series(SECONDS)
        self._host_call_seconds = metrics.series(HOST_CALL_SECONDS)

    async def execute(self, invocation: Invocation, delivery: ResponseDelivery | None = None) -> Outcome:
        """Execute a script.

        Args:
            invocation: the script, the principal and the cause.
            delivery: the delivery of the response; a file is recorded when it ends. None records at once.

        Returns:
            The outcome.

        Raises:
            Overloaded: no permit is free; the script did not run.
            asyncio.CancelledError: the caller disconnected; the execution was stopped and recorded.
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
            script.limits,
        )
        try:
            if script.problem is not None:
                outcome.code, outcome.error = "script_invalid", ScriptError(script.problem)
                return outcome
            await self.sandbox.execute(
                script.image_key,
                Program(
                    script.app_id,
                    script.source,
                    script.kind,
                    {module.name: module.source for module in script.modules},
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
            self._count(outcome)
            if self.recorder is not None:
                record = self.recorder.prepare(invocation, outcome, started_at, call.decisions)
                if delivery is None or outcome.response is None or outcome.response.file is None:
                    record(None)
                else:
                    delivery.record_at_end(record)
        return outcome

    def _count(self, outcome: Outcome) -> None:
        figures = outcome.figures
        self._executions[outcome.code, figures.cache].inc()
        self._fuel.inc(figures.fuel)
        self._seconds.inc(figures.wall_ms / 1000)
        self._host_call_seconds.inc(figures.host_call_ms / 1000)

    async def validate(self, app_id: UUID, source: bytes, kind: str, limits: Limits) -> list[str]:
        """Check a script.

        Args:
            app_id: the app of the script.
            source: Rhai, UTF-8.
            kind: "endpoint" or "module".

        Returns:
            The names of its literal imports.

        Raises:
            ScriptInvalid: it is not valid; the details have line, column and message.
            Throttled: the app has used up its budget for saves.
        """
        return list(await self.sandbox.check(Program(app_id, source, kind, {}), limits))
