"""Lists all errors, and those that each endpoint can return."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping

from picloud.core import errors
from picloud.core.errors import PicloudError
from picloud.http.admin.endpoint import Endpoint, NoBody
from picloud.http.admin.stream_endpoint import StreamEndpoint
from picloud.http.openapi.words import Schema
from picloud.http.public.invoke import OUTCOME_MESSAGES
from picloud.sandbox.outcome import STATUS as OUTCOMES

_BODY = (
    errors.BadRequest,
    errors.RequestTimeout,
    errors.BodyTooLarge,
    errors.UnknownEncoding,
    errors.UnknownContentType,
)
_STREAM = (errors.TooManyStreams, errors.Overloaded, errors.NotReady)
_UNSENT = frozenset({"cancelled"})  # the client has disconnected


def errors_of(endpoint: Endpoint) -> list[type[PicloudError]]:
    """Return the errors of an endpoint: those of all such endpoints, and those it declares."""
    found: list[type[PicloudError]] = [errors.Invalid]  # an unknown parameter
    if endpoint.access != "public":
        found.append(errors.Unauthenticated)
    if endpoint.access not in ("public", "user") or endpoint.action:
        found.append(errors.Forbidden)  # the capability, or a write by cookie from another origin
    if "{" in endpoint.path:
        found.append(errors.NotFound)
    if endpoint.body is not NoBody:
        found += _BODY
    if isinstance(endpoint, StreamEndpoint):
        found += _STREAM
    if endpoint.adds:
        found.append(errors.StorageFull)
    return [*found, *endpoint.errors, PicloudError, errors.Unavailable]


_KINDS = (errors.UnknownHost, errors.Outdated)  # of not_found and conflict


def all_errors() -> list[tuple[int, str, str]]:
    """Return HTTP status, code and message of all errors, sorted by status."""
    found = _codes(
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, PicloudError) and kind not in _KINDS
    )
    return sorted((status, code, text) for (status, code), text in (_outcomes() | found).items())


class Responses:
    """Error responses; responses with the same codes share a component.

    Attributes:
        named: the components by name.
    """

    def __init__(self) -> None:
        self.named: dict[str, Schema] = {}

    def of(self, kinds: Iterable[type[PicloudError]]) -> dict[str, Schema]:
        """Return references to the error responses, by status."""
        made = {}
        for status, codes in _by_status(_codes(kinds)).items():
            name = "-".join(sorted(codes))
            self.named[name] = {
                "description": _listed(codes),
                "content": {"application/json": {"schema": _error_with(codes)}},
            }
            made[status] = {"$ref": f"#/components/responses/{name}"}
        return made


def scripted_responses(kinds: Iterable[type[PicloudError]]) -> dict[str, Schema]:
    """Return the responses of a script by status; a script can return any status and body.

    Args:
        kinds: errors in addition to those of an execution.
    """
    anything: Schema = {"*/*": {"schema": {}}}
    made: dict[str, Schema] = {"default": {"description": "The script's response.", "content": anything}}
    for status, codes in _by_status(_outcomes() | _codes(kinds)).items():
        made[status] = {
            "description": f"The script's response, or\n\n{_listed(codes)}",
            "x-codes": sorted(codes),
            "content": anything,
        }
    return made


def error_schema() -> Schema:
    """Return the schema of errors."""
    codes = sorted({code for _, code, _ in all_errors()})
    fields = {
        "code": {"type": "string", "enum": codes, "description": "The error code, for programs."},
        "message": {"type": "string", "description": "The message, for humans."},
        "details": {
            "type": "object",
            "description": "Details. `field` is the first invalid field, `problems` lists all problems.",
        },
        "request_id": {"type": "string", "description": "The request id, as in `X-Request-Id` and the log."},
    }
    error = {
        "type": "object",
        "description": "The error.",
        "properties": fields,
        "required": ["code", "message", "request_id"],
    }
    about = "An error."
    return {"type": "object", "description": about, "properties": {"error": error}, "required": ["error"]}


def _error_with(codes: Iterable[str]) -> Schema:
    one_of_these = {"properties": {"error": {"properties": {"code": {"enum": sorted(codes)}}}}}
    return {"allOf": [{"$ref": "#/components/schemas/Error"}, one_of_these]}


def _codes(kinds: Iterable[type[PicloudError]]) -> dict[tuple[int, str], str]:
    return {(kind.status, kind.code): (kind.__doc__ or "").strip().splitlines()[0] for kind in kinds}


def _outcomes() -> dict[tuple[int, str], str]:
    return {
        (status, code): _sentence(OUTCOME_MESSAGES[code])
        for code, status in OUTCOMES.items()
        if code not in _UNSENT
    }


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _by_status(codes: Mapping[tuple[int, str], str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for (status, code), text in sorted(codes.items()):
        found.setdefault(str(status), {})[code] = text
    return found


def _listed(codes: Mapping[str, str]) -> str:
    return "\n".join(f"- `{code}`: {text}" for code, text in codes.items())
