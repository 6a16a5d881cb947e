"""A guest's answer, checked: nothing of it is believed because the guest says so."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from picloud.core.interface import LIMITS, InterfaceViolation
from picloud.core.msgpack import require_plain
from picloud.sandbox import abi
from picloud.sandbox.hints import hinted
from picloud.sandbox.limits import FIXED
from picloud.sandbox.outcome import FileReference, Response, ScriptError

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}")  # RFC 9110, 5.6.2
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,8192}")  # RFC 9110, 5.5, and a length
_CONTENT_TYPES = {1: "application/json", 2: "text/plain; charset=utf-8", 3: "application/octet-stream"}
_FILE = 4  # the body is MessagePack of [collection, id]
_NO_BODY = (204, 205, 304)
_MAX_COLLECTION, _MAX_ID = LIMITS.number("max_collection_name_bytes"), 64  # bytes; a UUID has 36
_MAX_HEADERS, _MAX_HEADER_BYTES = 100, 32 * 1024
# The guest denies what belongs to the connection; the host also what it sets itself.
_RESERVED = LIMITS.names("reserved_response_headers") | {
    "proxy-authorization",
    "x-request-id",
    "x-execution-id",
}
_CODES = frozenset(
    ("script_error", "operation_budget", "memory_limit", "response_invalid", "request_invalid")
)


class AnswerRefused(Exception):
    """The script answered with something that must not be sent; the text says what."""


class CheckedResult:
    """What the guest's `run` gave back.

    Attributes:
        operations: Rhai operations, as the guest counted.
        code: "ok" or an error code.
        response: when ok.
        error: when not.
    """

    __slots__ = ("code", "error", "operations", "response")

    def __init__(self, data: bytes, reserved_cookies: Collection[str] = ()) -> None:
        """Unpack and check an answer.

        Args:
            data: MessagePack as in the guest ABI: `[0, operations, status, headers, kind, body]` or
                `[1, operations, {code, message, line, column, module}]`.
            reserved_cookies: cookies that no response can set, in lower case.

        Raises:
            InterfaceViolation: it is not of that form.
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
                said = answer.error.get("code")
                self.code = said if isinstance(said, str) and said in _CODES else "script_error"
                self.error = script_error(answer.error)
        except AnswerRefused as refusal:
            self.code, self.error = "response_invalid", ScriptError(str(refusal))


def script_error(said: Mapping[str, object]) -> ScriptError:
    """The error a guest reports, with every field of the right type."""

    def number(name: str) -> int | None:
        value = said.get(name)
        return value if type(value) is int and 0 < value < 1 << 31 else None

    module = said.get("module")
    message = hinted(str(said.get("message") or "unknown error")[:4096])
    return ScriptError(message, number("line"), number("column"), module if isinstance(module, str) else None)


def _response(answer: abi.RunAnswered, reserved_cookies: Collection[str]) -> Response:
    status, kind, body = answer.status, answer.kind, answer.body
    if not 200 <= status <= 599:
        raise AnswerRefused(f"statusCode must be from 200 to 599, not {status}")
    if len(body) > FIXED["max_response_body"]:
        raise AnswerRefused(f"the body is larger than {FIXED['max_response_body']} bytes")
    checked = _headers(answer.headers, reserved_cookies)
    if kind == _FILE:
        file = _file(body)
        return Response(status, checked, b"", None if status in _NO_BODY else file)
    if status in _NO_BODY:
        body = b""
    elif kind in _CONTENT_TYPES and not any(name == "content-type" for name, _ in checked):
        checked.append(("content-type", _CONTENT_TYPES[kind]))
    return Response(status, checked, body)


def _file(reference: bytes) -> FileReference:
    try:
        file = FileReference(*abi.FILE_REFERENCE.decode(reference))
    except ValueError as error:
        raise InterfaceViolation(f"run: invalid file: {error}") from None
    if not 1 <= len(file.collection.encode()) <= _MAX_COLLECTION or len(file.id.encode()) > _MAX_ID:
        raise AnswerRefused("there is no file of that collection and id")
    return file


def _cookie_name(value: str) -> str:
    """The name a browser sends it back under: it forgets the `=` before a cookie that has none."""
    return re.split("[=;]", value.lstrip("= \t"), maxsplit=1)[0].strip().lower()


def _headers(headers: Mapping[str, object], reserved_cookies: Collection[str]) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    for name, values in headers.items():
        if not _TOKEN.fullmatch(name):
            raise AnswerRefused(f"header name {name[:64]!r} is not a token (RFC 9110)")
        lower = name.lower()
        if lower in _RESERVED:
            raise AnswerRefused(f"header {lower!r} belongs to the server")
        for value in values if isinstance(values, list) else [values]:
            if not isinstance(value, str) or not _VALUE.fullmatch(value):
                raise AnswerRefused(f"the value of header {lower!r} has characters that no header may have")
            if lower == "set-cookie" and (cookie := _cookie_name(value)) in reserved_cookies:
                raise AnswerRefused(f"a script cannot set the cookie {cookie}")
            fields.append((lower, value))
    if (
        len(fields) > _MAX_HEADERS
        or sum(len(name) + len(value) for name, value in fields) > _MAX_HEADER_BYTES
    ):
        raise AnswerRefused(
            f"more than {_MAX_HEADERS} headers, or more than {_MAX_HEADER_BYTES} bytes of them"
        )
    return fields
