"""A record of an execution, as a row of the execution log: redacted, and safe for PostgreSQL."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import orjson

from picloud.control.record_bodies import RecordBodies
from picloud.core.text import clean
from picloud.execution.cause import EventCause, HttpCause, ScriptRequest, rfc3339
from picloud.execution.delivery import Delivered
from picloud.execution.invocation import Invocation
from picloud.execution.redaction import REDACTED, Redaction, without_tokens
from picloud.identity.token_search import LONGEST_SPELLING
from picloud.sandbox.outcome import OK, LogLine, Outcome, Response, ScriptError
from picloud.services.outbound_decisions import Decision, Decisions

logger = logging.getLogger(__name__)

MAX_BODY = 64 * 1024
"""Bytes of a body that are kept."""
ROW_BYTES = 512
"""What a row and its index entries take in addition to its JSON."""
MAX_TEXT_AT_RATE = 1024
"""Characters of a path or a message that are kept while the log grows too fast."""

Omitted: TypeAlias = Literal["private", "rate"]
"""Why a record has only figures: the script asked for it, or the log of the app grows too fast."""
Row: TypeAlias = tuple[object, ...]

_STATUS, _RESPONSE, _SIZE = 8, 9, 27  # indexes in a row
_MAX_UNCHECKED_BRACKETS = 200  # fewer brackets cannot exceed the depth that orjson writes, which is 254


def make_row(
    invocation: Invocation,
    outcome: Outcome,
    started_at: float,
    decisions: Decisions,
    redaction: Redaction,
    omitted: Omitted | None = None,
) -> Row:
    """Return the row of an execution.

    Args:
        invocation: the invocation.
        outcome: its outcome.
        started_at: seconds since 1970-01-01 UTC.
        decisions: decisions about its outbound calls.
        redaction: removes secrets.
        omitted: why only figures are kept, or None. "rate" also keeps method, path and error.
    """
    script, figures, cause, error = invocation.script, outcome.figures, invocation.cause, outcome.error
    private = omitted == "private"
    bodies = omitted is None and keeps_bodies(script.record_bodies, outcome)
    request = response = failure = event = None
    if isinstance(cause, HttpCause) and not private:
        request = _encode(_request(cause.request, redaction, bodies, omitted))
    elif isinstance(cause, EventCause):
        event = _encode(_event(cause))
    if outcome.response is not None and omitted is None:
        response = _encode(_response(outcome.response, redaction, bodies))
    if error is not None and not private:
        failure = _encode(_error(error, redaction, omitted))
    lines = outcome.logs if omitted is None else []
    logs = _encode([_line(line, redaction) for line in lines])
    calls = decisions.kept if omitted is None else []
    outbound = _encode([_call(decision, redaction) for decision in calls])
    parts = (request, response, failure, event, logs, outbound)
    return (
        script.app_id,
        invocation.execution_id,
        script.script_id,
        script.version,
        cause.ingress,
        cause.request_id,
        _json(request),
        outcome.code,
        outcome.status,
        _json(response),
        _json(failure),
        figures.cache,
        figures.fuel,
        figures.operations,
        figures.peak_memory_bytes,
        figures.wall_ms,
        figures.host_call_ms,
        figures.host_calls,
        _json(logs),
        outcome.logs_dropped + len(outcome.logs) - len(lines),
        invocation.root_execution_id,
        datetime.fromtimestamp(started_at, UTC),
        _json(outbound),
        decisions.dropped + len(decisions.kept) - len(calls),
        invocation.parent,
        invocation.depth,
        _json(event),
        ROW_BYTES + sum(len(part) for part in parts if part is not None),
        omitted,
    )


def with_sent(row: Row, sent: Delivered, redaction: Redaction) -> Row:
    """Replace status and response of the script in a row with what was sent."""
    if row[_RESPONSE] is None:
        return (*row[:_STATUS], sent.status, *row[_STATUS + 1 :])
    (headers,) = without_tokens(redaction.headers(sent.headers))
    response = _encode({"headers": headers, "body": None, "body_size": sent.size})
    # The size stays: it was that of the headers of the script.
    return (*row[:_STATUS], sent.status, _json(response), *row[_RESPONSE + 1 :])


def bytes_of(row: Row) -> int:
    """Return the bytes that a row takes in the log."""
    size = row[_SIZE]
    assert isinstance(size, int)
    return size


def keeps_bodies(rule: RecordBodies, outcome: Outcome) -> bool:
    """Return whether the bodies of an execution are kept."""
    return rule == "all" or (rule == "errors" and (outcome.code != OK or outcome.status >= 500))


def body_summary(body: bytes, content_type: str | None, redaction: Redaction | None) -> dict[str, object]:
    """Return a body for the log: its size, and its first `MAX_BODY` bytes if it is text.

    Args:
        body: the body.
        content_type: the header's value, or None.
        redaction: removes secrets; None keeps only the size.
    """
    text: str | None = None
    if redaction is not None and _is_text(body):
        # A token at the end is recognized only if it is all there.
        cut = body[: MAX_BODY + LONGEST_SPELLING]
        text = redaction.body(clean(cut.decode(errors="ignore")), content_type)
        if len(body) > MAX_BODY:
            text = text.encode()[:MAX_BODY].decode(errors="ignore")
    return {"body": text, "body_size": len(body)}


def clean_json(text: str) -> str:
    """Make JSON text safe for PostgreSQL: an escaped NUL becomes U+FFFD."""
    return text.replace("\\u0000", "\\ufffd") if "\\u0000" in text else clean(text)


def _request(
    request: ScriptRequest, redaction: Redaction, bodies: bool, omitted: Omitted | None
) -> dict[str, object]:
    path = clean(request.path)
    for name, value in request.params.items():
        if value and redaction.is_secret(name):  # such as /reset/:token
            path = path.replace(clean(value), REDACTED)
    path = redaction.text(path)
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    if omitted is None:
        headers, query = without_tokens(
            redaction.headers(request.headers.items()), redaction.query(request.query)
        )
    else:
        path = path[:MAX_TEXT_AT_RATE]
    body = body_summary(request.body, request.content_type, redaction if bodies else None)
    return {"method": request.method, "path": path, "headers": headers, "query": query, **body}


def _response(response: Response, redaction: Redaction, bodies: bool) -> dict[str, object]:
    content_type = next((value for name, value in response.headers if name == "content-type"), None)
    (headers,) = without_tokens(redaction.headers(response.headers))
    return {"headers": headers, **body_summary(response.body, content_type, redaction if bodies else None)}


def _error(error: ScriptError, redaction: Redaction, omitted: Omitted | None) -> dict[str, object]:
    message = redaction.text(clean(error.message))
    return {
        "message": message if omitted is None else message[:MAX_TEXT_AT_RATE],
        "line": error.line,
        "column": error.column,
        "module": error.module and clean(error.module),
        "thrown": logged_json(redaction.text(error.thrown)) if error.thrown and omitted is None else None,
    }


def _call(decision: Decision, redaction: Redaction) -> dict[str, object]:
    return {**decision.facts(), "host": redaction.text(decision.host)}


def _event(event: EventCause) -> dict[str, object]:
    """An event for the log, without its data, which can be large."""
    return {
        "source": event.source,
        "op": event.op,
        "id": str(event.id),
        "attempt": event.attempt,
        "occurred_at": rfc3339(event.occurred_at),
        "trigger_id": event.trigger_id and str(event.trigger_id),
    }


def _line(line: LogLine, redaction: Redaction) -> dict[str, object]:
    data = None if line.data is None else logged_json(redaction.text(line.data))
    at = datetime.fromtimestamp(line.at / 1000, UTC).isoformat(timespec="milliseconds")
    return {
        "level": clean(line.level),
        "message": redaction.text(clean(line.message)),
        "data": data,
        "at": at,
        **({"dropped": line.dropped} if line.dropped else {}),
    }


def logged_json(text: str) -> object:
    """Return the value of a JSON text of the guest; a text that cannot be stored as JSON remains text."""
    try:
        value: object = orjson.loads(clean_json(text))
        if text.count("[") + text.count("{") > _MAX_UNCHECKED_BRACKETS:
            orjson.dumps(value)  # orjson reads deeper nesting than it writes
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return clean(text)
    return value


def _is_text(body: bytes) -> bool:
    try:
        body[:MAX_BODY].decode()
    except UnicodeDecodeError as error:
        return len(body) > MAX_BODY and error.start >= MAX_BODY - 3  # cut inside a character
    return True


def _encode(value: object) -> bytes:
    """Encode a column once: for its size, and for the database."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # a record must not change a response
        logger.exception("a part of an execution record could not be encoded")
        return b"null"


def _json(encoded: bytes | None) -> orjson.Fragment | None:
    # Not a list: asyncpg would encode a list of lists as a two-dimensional array.
    return None if encoded is None else orjson.Fragment(encoded)
