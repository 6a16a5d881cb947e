"""Checks the result of the guest, which is not trusted."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import orjson

from picloud.core.interface import LIMITS, InterfaceViolation
from picloud.core.msgpack import require_plain
from picloud.sandbox import abi
from picloud.sandbox.limits import FIXED
from picloud.sandbox.outcome import FileReference, Response, ScriptError

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")  # RFC 9110, 5.5; values are sent as UTF-8
_MAX_NAME, _MAX_VALUE = 128, 8192  # bytes
_CONTENT_TYPES = {1: "application/json", 2: "text/plain; charset=utf-8", 3: "application/octet-stream"}
_FILE = 4  # the body is MessagePack of [collection, id]
_NO_BODY = (204, 205, 304)
_MAX_COLLECTION, _MAX_ID = LIMITS.number("max_collection_name_bytes"), 64  # bytes; a UUID has 36
_MAX_HEADERS, _MAX_HEADER_BYTES = 100, 32 * 1024
# The guest rejects headers of the connection; the host also those that it sets itself.
_RESERVED = LIMITS.names("reserved_response_headers") | {
    "proxy-authorization",
    "x-request-id",
    "x-execution-id",
}
# Commands to a proxy in front (nginx, Apache, lighttpd, Perlbal, LiteSpeed, Envoy): to send another file or
# URL in place of the response, or to take this server out of service.
_TO_PROXIES = re.compile(r"x-(?:accel|sendfile|lighttpd|reproxy|litespeed|envoy)(?:-.*)?|x-sendfile.*")
# A client uses one of several values, and a proxy perhaps another.
_SINGLE = frozenset(
    (
        "access-control-allow-origin",
        "age",
        "content-disposition",
        "content-location",
        "content-range",
        "content-type",
        "date",
        "etag",
        "expires",
        "last-modified",
        "location",
        "retry-after",
    )
)
_BINARY = 3
_CODES = frozenset(
    ("script_error", "operation_budget", "memory_limit", "response_invalid", "request_invalid")
)


class ResponseRejected(Exception):
    """The response of the script is not valid; the message has the reason."""


class CheckedResult:
    """The checked result of `run`.

    Attributes:
        operations: Rhai operations, counted by the guest.
        code: "ok" or an error code.
        response: the response, if ok.
        error: the error, if not ok.
    """

    __slots__ = ("code", "error", "operations", "response")

    def __init__(self, data: bytes, reserved_cookies: Collection[str] = ()) -> None:
        """Decode and check a result.

        Args:
            data: MessagePack of the guest ABI: `[0, operations, status, headers, kind, body]` or
                `[1, operations, {code, message, thrown, line, column, module}]`.
            reserved_cookies: cookies that no response can set, in lower case.

        Raises:
            InterfaceViolation: it has another form.
        """
        self.code = "ok"
        self.operations = 0
        self.response: Response | None = None
        self.error: ScriptError | None = None
        try:
            answer = abi.RUN_RESULT.decode(data)
            if isinstance(answer, abi.RunFailed):
                require_plain(answer.error)
        except ValueError as error:
            raise InterfaceViolation(f"run: invalid result: {error}") from None
        if not 0 <= answer.operations < 1 << 63:
            raise InterfaceViolation("run: invalid number of operations")
        self.operations = answer.operations
        try:
            if isinstance(answer, abi.RunAnswered):
                self.response = _response(answer, reserved_cookies)
            else:
                code = answer.error.get("code")
                self.code = code if isinstance(code, str) and code in _CODES else "script_error"
                self.error = script_error(answer.error)
        except ResponseRejected as error:
            self.code, self.error = "response_invalid", ScriptError(str(error))


def script_error(fields: Mapping[str, object]) -> ScriptError:
    """Convert an error of the guest, with checked types."""

    def number(name: str) -> int | None:
        value = fields.get(name)
        return value if type(value) is int and 0 < value < 1 << 31 else None

    message = str(fields.get("message") or "unknown error")[:4096]
    module, thrown = fields.get("module"), fields.get("thrown")
    return ScriptError(
        message,
        number("line"),
        number("column"),
        module if isinstance(module, str) else None,
        _json(thrown) if isinstance(thrown, str) else None,
    )


def _json(text: str) -> str | None:
    """Return a JSON text of the guest, or None if it is not JSON."""
    try:
        return orjson.dumps(orjson.loads(text)).decode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None


def _response(answer: abi.RunAnswered, reserved_cookies: Collection[str]) -> Response:
    status, kind, body = answer.status, answer.kind, answer.body
    if not 200 <= status <= 599:
        raise ResponseRejected(f"statusCode must be from 200 to 599, not {status}")
    if len(body) > FIXED["max_response_body"]:
        raise ResponseRejected(f"the body must have at most {FIXED['max_response_body']} bytes")
    checked = _headers(answer.headers, reserved_cookies)
    if kind == _FILE:
        file = _file(body)
        return Response(status, checked, b"", None if status in _NO_BODY else file)
    if status in _NO_BODY:
        body = b""
    elif kind in _CONTENT_TYPES:
        _set_content_type(checked, kind)
    return Response(status, checked, body)


def _set_content_type(headers: list[tuple[str, str]], kind: int) -> None:
    """Add the content type, or the charset of text: strings are sent as UTF-8."""
    for at, (name, value) in enumerate(headers):
        if name == "content-type":
            lower = value.lower()
            if kind != _BINARY and lower.startswith("text/") and "charset" not in lower:
                headers[at] = (name, f"{value.rstrip('; ')}; charset=utf-8")
            return
    headers.append(("content-type", _CONTENT_TYPES[kind]))


def _file(reference: bytes) -> FileReference:
    try:
        file = FileReference(*abi.FILE_REFERENCE.decode(reference))
    except ValueError as error:
        raise InterfaceViolation(f"run: invalid file: {error}") from None
    if not 1 <= len(file.collection.encode()) <= _MAX_COLLECTION or len(file.id.encode()) > _MAX_ID:
        raise ResponseRejected("invalid collection or id of a file")
    return file


def _cookie_name(value: str) -> str:
    """Return the name under which a browser returns a cookie; it drops a leading `=`."""
    return re.split("[=;]", value.lstrip("= \t"), maxsplit=1)[0].strip().lower()


def _headers(headers: Mapping[str, object], reserved_cookies: Collection[str]) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    single: set[str] = set()
    for name, values in headers.items():
        if not _TOKEN.fullmatch(name):
            raise ResponseRejected(f"invalid header name {name[:64]!r}")
        if len(name) > _MAX_NAME:
            raise ResponseRejected(f"the header name {name[:64]!r}... is longer than {_MAX_NAME} characters")
        lower = name.lower()
        if lower in _RESERVED or (lower.startswith("x-") and _TO_PROXIES.fullmatch(lower)):
            raise ResponseRejected(f"scripts cannot set the header {lower!r}")
        for value in values if isinstance(values, list) else [values]:
            if not isinstance(value, str):
                raise ResponseRejected(f"header {lower!r} is not a string")
            if _CONTROL.search(value):
                raise ResponseRejected(f"header {lower!r} contains a control character")
            if _bytes(value) > _MAX_VALUE:
                raise ResponseRejected(f"header {lower!r} is longer than {_MAX_VALUE} bytes")
            if lower in _SINGLE:
                if lower in single:
                    raise ResponseRejected(f"header {lower!r} can have one value only")
                single.add(lower)
            if lower == "set-cookie" and (cookie := _cookie_name(value)) in reserved_cookies:
                raise ResponseRejected(f"a script cannot set the cookie {cookie}")
            fields.append((lower, value))
    if (
        len(fields) > _MAX_HEADERS
        or sum(len(name) + _bytes(value) for name, value in fields) > _MAX_HEADER_BYTES
    ):
        raise ResponseRejected(
            f"at most {_MAX_HEADERS} headers with {_MAX_HEADER_BYTES} bytes in total can be sent"
        )
    return fields


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
